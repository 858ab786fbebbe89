// RUN: tfmbs-opt %s --split-input-file --tfmbs-compose-functions --canonicalize | filecheck %s

// CHECK-LABEL: func.func @exp2
// CHECK-DAG:   %[[X:.*]] = arith.extf %arg0 : f32 to f64
// CHECK-DAG:   %[[TWO:.*]] = arith.constant 2.000000e+00 : f64
// CHECK:       %[[Y:.*]] = "tfmbs.pow"(%[[TWO]], %[[X]]) : (f64, f64) -> f64
// CHECK:       arith.truncf %[[Y]] : f64 to f32
func.func @exp2(%x: f32) -> f32 {
  %0 = math.exp2 %x : f32
  return %0 : f32
}

// -----

// f64 is computed in f64.
// CHECK-LABEL: func.func @double
// CHECK-NOT:   arith.extf
// CHECK:       "tfmbs.log"
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

// What is an instruction gets the dialect's op; what is exact, or what nobody defines, stays.
// CHECK-LABEL: func.func @others
// CHECK:       %[[E:.*]] = "tfmbs.exp"(%arg0) : (f32) -> f32
// CHECK:       "tfmbs.pow"(%[[E]], %arg0) : (f32, f32) -> f32
// CHECK:       math.sqrt
// CHECK:       math.fpowi
// CHECK:       "tfmbs.gelu"
func.func @others(%x: f32, %n: i32) -> f32 {
  %0 = math.exp %x : f32
  %1 = math.powf %0, %x : f32
  %2 = math.sqrt %1 : f32
  %3 = math.fpowi %2, %n : f32, i32
  %4 = "tfmbs.gelu"(%3) : (f32) -> f32
  return %4 : f32
}

// -----

// In the body of an op too; a function of a tensor gets one.
// CHECK-LABEL: func.func @body
// CHECK:       linalg.generic
// CHECK:       "tfmbs.sin"
// CHECK:       "tfmbs.cos"
// CHECK:       linalg.generic
// CHECK:       "tfmbs.log"
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

// -----

// The host's libm has no say: canonicalization does not fold the function of a constant.
// CHECK-LABEL: func.func @constant
// CHECK:       %[[C:.*]] = arith.constant 3.000000e-01 : f32
// CHECK:       "tfmbs.tanh"(%[[C]])
func.func @constant() -> f32 {
  %c = arith.constant 0.3 : f32
  %0 = math.tanh %c : f32
  return %0 : f32
}

// -----

// CHECK-LABEL: func.func @tensors
// CHECK:       linalg.generic
// CHECK:       arith.addf %{{.*}}, %{{.*}} : f32
func.func @tensors(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
  %0 = arith.addf %x, %y : tensor<8xf32>
  return %0 : tensor<8xf32>
}
