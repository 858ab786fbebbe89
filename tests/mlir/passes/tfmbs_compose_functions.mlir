// RUN: tfmbs-opt %s --split-input-file --tfmbs-compose-functions | filecheck %s

// CHECK-LABEL: func.func @exp2
// CHECK:       %[[X:.*]] = arith.extf %arg0 : f32 to f64
// CHECK:       %[[TWO:.*]] = arith.constant 2.000000e+00 : f64
// CHECK:       %[[Y:.*]] = math.powf %[[TWO]], %[[X]] : f64
// CHECK:       arith.truncf %[[Y]] : f64 to f32
func.func @exp2(%x: f32) -> f32 {
  %0 = math.exp2 %x : f32
  return %0 : f32
}

// -----

// f64 is computed in f64.
// CHECK-LABEL: func.func @double
// CHECK-NOT:   arith.extf
// CHECK:       math.log
// CHECK-NEXT:  arith.constant
// CHECK-NEXT:  arith.mulf
// CHECK-NEXT:  return
func.func @double(%x: f64) -> f64 {
  %0 = math.log2 %x : f64
  return %0 : f64
}

// -----

// f16 is rounded to f32 first, as in all arithmetic.
// CHECK-LABEL: func.func @half
// CHECK:       arith.extf %arg0 : f16 to f32
// CHECK:       arith.extf {{.*}} : f32 to f64
// CHECK:       arith.truncf {{.*}} : f64 to f32
// CHECK:       arith.truncf {{.*}} : f32 to f16
func.func @half(%x: f16) -> f16 {
  %0 = math.tan %x : f16
  return %0 : f16
}

// -----

// What is an instruction stays, and so does what nobody defines.
// CHECK-LABEL: func.func @others
// CHECK:       math.exp
// CHECK:       math.erfc
// CHECK:       "tfmbs.gelu"
func.func @others(%x: f32) -> f32 {
  %0 = math.exp %x : f32
  %1 = math.erfc %0 : f32
  %2 = "tfmbs.gelu"(%1) : (f32) -> f32
  return %2 : f32
}

// -----

// In the body of an op too; a function of a tensor gets one.
// CHECK-LABEL: func.func @body
// CHECK:       linalg.generic
// CHECK:       math.sin
// CHECK:       math.cos
// CHECK:       linalg.generic
// CHECK:       math.log
// CHECK-NOT:   math.log10
func.func @body(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %r = math.tan %a : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %1 = math.log10 %0 : tensor<4xf32>
  return %1 : tensor<4xf32>
}
