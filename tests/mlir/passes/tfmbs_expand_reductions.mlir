// RUN: tfmbs-opt %s --split-input-file --tfmbs-expand-reductions | filecheck %s

// Two reduced dimensions count as one, in row-major order; what is added may be computed; telemetry rides along.
// CHECK-DAG:   #[[LANES:.*]] = affine_map<(d0, d1, d2) -> (d0, (d1 * 7 + d2) mod 16)>
// CHECK-LABEL: func.func @squares
// CHECK:       linalg.fill {{.*}} -> tensor<2x16xf32>
// CHECK:       linalg.generic {indexing_maps = [{{.*}}, #[[LANES]]]
// CHECK-SAME:  telemetry = {layer = "norm"}
// CHECK:       arith.mulf
// CHECK-NEXT:  arith.addf
// CHECK:       iterator_types = ["parallel"]
// CHECK:       outs(%arg1 : tensor<2xf32>)
// CHECK-COUNT-16: arith.addf
// CHECK-NEXT:  linalg.yield
func.func @squares(%x: tensor<2x5x7xf32>, %init: tensor<2xf32>) -> tensor<2xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1, d2) -> (d0, d1, d2)>, affine_map<(d0, d1, d2) -> (d0)>], iterator_types = ["parallel", "reduction", "reduction"]} ins(%x : tensor<2x5x7xf32>) outs(%init : tensor<2xf32>) attrs = {telemetry = {layer = "norm"}} {
  ^bb0(%e: f32, %sum: f32):
    %1 = arith.mulf %e, %e : f32
    %2 = arith.addf %1, %sum : f32
    linalg.yield %2 : f32
  } -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

// Fused products, maxima and integers keep the ascending order.
// CHECK-LABEL: func.func @others
// CHECK-NOT:   linalg.fill
// CHECK:       math.fma
// CHECK:       arith.maximumf
// CHECK:       arith.addi
// CHECK:       return
func.func @others(%x: tensor<2x5xf32>, %init: tensor<2xf32>, %i: tensor<2x5xi32>, %j: tensor<2xi32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xi32>) {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x5xf32>) outs(%init : tensor<2xf32>) {
  ^bb0(%e: f32, %acc: f32):
    %3 = math.fma %e, %e, %acc : f32
    linalg.yield %3 : f32
  } -> tensor<2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x5xf32>) outs(%init : tensor<2xf32>) {
  ^bb0(%e: f32, %acc: f32):
    %3 = arith.maximumf %e, %acc : f32
    linalg.yield %3 : f32
  } -> tensor<2xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%i : tensor<2x5xi32>) outs(%j : tensor<2xi32>) {
  ^bb0(%e: i32, %acc: i32):
    %3 = arith.addi %e, %acc : i32
    linalg.yield %3 : i32
  } -> tensor<2xi32>
  return %0, %1, %2 : tensor<2xf32>, tensor<2xf32>, tensor<2xi32>
}

// -----

// On memrefs the partial sums have a buffer of their own.
// CHECK-LABEL: func.func @memory
// CHECK:       memref.alloc() : memref<2x16xf32>
// CHECK:       linalg.generic
// CHECK:       linalg.generic
// CHECK:       outs(%arg1 : memref<2xf32>)
func.func @memory(%x: memref<2x40xf32>, %out: memref<2xf32>) {
  linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : memref<2x40xf32>) outs(%out : memref<2xf32>) {
  ^bb0(%e: f32, %sum: f32):
    %1 = arith.addf %sum, %e : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

// Named ops have a body too: their sums have the same order.
// CHECK-LABEL: func.func @named
// CHECK-NOT:   linalg.conv_1d_ncw_fcw
// CHECK:       linalg.generic
// CHECK-SAME:  ["parallel", "parallel", "parallel", "reduction", "reduction"]
// CHECK-SAME:  telemetry = {layer = "conv"}
// CHECK:       arith.mulf
// CHECK:       iterator_types = ["parallel", "parallel", "parallel"]
// CHECK:       outs(%arg2 : tensor<1x3x4xf32>)
// CHECK-COUNT-16: arith.addf
// CHECK:       linalg.pooling_nchw_max
func.func @named(%x: tensor<1x2x9xf32>, %w: tensor<3x2x3xf32>, %y: tensor<1x3x4xf32>, %image: tensor<1x2x4x4xf32>, %window: tensor<2x2xf32>, %most: tensor<1x2x3x3xf32>) -> (tensor<1x3x4xf32>, tensor<1x2x3x3xf32>) {
  %0 = linalg.conv_1d_ncw_fcw {strides = dense<2> : tensor<1xi64>, telemetry = {layer = "conv"}} ins(%x, %w : tensor<1x2x9xf32>, tensor<3x2x3xf32>) outs(%y : tensor<1x3x4xf32>) -> tensor<1x3x4xf32>
  %1 = linalg.pooling_nchw_max ins(%image, %window : tensor<1x2x4x4xf32>, tensor<2x2xf32>) outs(%most : tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
  return %0, %1 : tensor<1x3x4xf32>, tensor<1x2x3x3xf32>
}

// -----

// f64 has partial sums too; f16, which rounds at each step, is in ascending order.
// CHECK-LABEL: func.func @types
// CHECK:       linalg.fill {{.*}} -> tensor<2x16xf64>
// CHECK:       linalg.generic
// CHECK-COUNT-16: arith.addf
// CHECK:       outs(%arg3 : tensor<2xf16>)
func.func @types(%x: tensor<2x40xf64>, %a: tensor<2xf64>, %y: tensor<2x40xf16>, %b: tensor<2xf16>) -> (tensor<2xf64>, tensor<2xf16>) {
  %0 = linalg.reduce {arith.addf} ins(%x : tensor<2x40xf64>) outs(%a : tensor<2xf64>) dimensions = [1]
  %1 = linalg.reduce {arith.addf} ins(%y : tensor<2x40xf16>) outs(%b : tensor<2xf16>) dimensions = [1]
  return %0, %1 : tensor<2xf64>, tensor<2xf16>
}

// -----

// A sum beside other results is taken out; one whose accumulator is read as well, or that adds what depends on another
// accumulator, is no sum.
// CHECK-LABEL: func.func @beside
// CHECK:       linalg.fill {{.*}} -> tensor<2x16xf64>
// CHECK:       linalg.generic
// CHECK-COUNT-16: arith.addf
// CHECK:       %[[OTHERS:.*]]:3 = linalg.generic
// CHECK-SAME:  outs(%{{.*}}, %{{.*}}, %{{.*}} : tensor<2xf64>, tensor<2xf64>, tensor<2xf64>)
// CHECK:       arith.maximumf
// CHECK-NOT:   linalg.generic
// CHECK:       return %{{.*}}, %[[OTHERS]]#0, %[[OTHERS]]#1, %[[OTHERS]]#2
func.func @beside(%x: tensor<2x40xf64>, %a: tensor<2xf64>) -> (tensor<2xf64>, tensor<2xf64>, tensor<2xf64>, tensor<2xf64>) {
  %0:4 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x40xf64>) outs(%a, %a, %a, %a : tensor<2xf64>, tensor<2xf64>, tensor<2xf64>, tensor<2xf64>) {
  ^bb0(%e: f64, %sum: f64, %most: f64, %second: f64, %third: f64):
    %3 = arith.addf %e, %sum : f64
    %4 = arith.maximumf %most, %e : f64
    %5 = arith.addf %second, %4 : f64
    %6 = arith.addf %third, %e : f64
    %7 = arith.subf %6, %third : f64
    linalg.yield %3, %4, %5, %7 : f64, f64, f64, f64
  } -> (tensor<2xf64>, tensor<2xf64>, tensor<2xf64>, tensor<2xf64>)
  return %0#0, %0#1, %0#2, %0#3 : tensor<2xf64>, tensor<2xf64>, tensor<2xf64>, tensor<2xf64>
}
