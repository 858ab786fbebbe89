// RUN: tfmbs-opt %s --split-input-file --tfmbs-expand-special | filecheck %s

// CHECK-LABEL: func.func @exp
// CHECK:       arith.extf {{.*}} : f32 to f64
// CHECK:       math.fma {{.*}} : f64
// CHECK:       arith.truncf {{.*}} : f64 to f32
// CHECK-NEXT:  arith.bitcast
// CHECK:       arith.constant 2143289344 : i32
// CHECK:       return
// CHECK-NOT:   math.exp
func.func @exp(%x: f32) -> f32 {
  %0 = math.exp %x : f32
  return %0 : f32
}

// -----

// CHECK-LABEL: func.func @all
// CHECK-NOT:   math.log
// CHECK-NOT:   math.tanh
// CHECK-NOT:   math.erf
// CHECK-NOT:   math.rsqrt
// CHECK-NOT:   math.sin
// CHECK-NOT:   math.cos
// CHECK-NOT:   math.powf
// CHECK:       return
func.func @all(%x: f32) -> f32 {
  %0 = math.log %x : f32
  %1 = math.tanh %0 : f32
  %2 = math.erf %1 : f32
  %3 = math.rsqrt %2 : f32
  %4 = math.sin %3 : f32
  %5 = math.cos %4 : f32
  %6 = math.powf %5, %x : f32
  return %6 : f32
}

// -----

// What IEEE 754 defines to the bit stays.
// CHECK-LABEL: func.func @exact
// CHECK:       math.sqrt
// CHECK:       math.fma
// CHECK:       math.roundeven
// CHECK:       math.absf
func.func @exact(%x: f32) -> f32 {
  %0 = math.sqrt %x : f32
  %1 = math.fma %0, %0, %x : f32
  %2 = math.roundeven %1 : f32
  %3 = math.absf %2 : f32
  return %3 : f32
}

// -----

// Inside an epilogue too.
// CHECK-LABEL: func.func @epilogue
// CHECK:       "tfmbs.matmul"
// CHECK:       arith.extf
// CHECK:       "tfmbs.yield"
// CHECK-NOT:   math.tanh
func.func @epilogue(%x: tensor<2x8xf32>, %w: tensor<4x8xf32>) -> tensor<2x4xf32> {
  %0 = "tfmbs.matmul"(%x, %w) ({
  ^bb0(%acc: f32):
    %t = math.tanh %acc : f32
    "tfmbs.yield"(%t) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func.func @double
// CHECK-NOT:   math.powf
// CHECK:       %[[BITS:.*]] = arith.constant 9221120237041090560 : i64
// CHECK:       arith.select {{.*}}, %[[BITS]], {{.*}} : i64
// CHECK:       return
func.func @double(%x: f64, %y: f64) -> f64 {
  %0 = math.powf %x, %y : f64
  return %0 : f64
}

// -----

// The fabric's own functions.
// CHECK-LABEL: func.func @own
// CHECK:       math.fma {{.*}} : f64
// CHECK-NOT:   tfmbs.
// CHECK:       return
func.func @own(%x: f32, %y: f64) -> (f32, f64) {
  %0 = "tfmbs.sigmoid"(%x) : (f32) -> f32
  %1 = "tfmbs.gelu"(%y) : (f64) -> f64
  return %0, %1 : f32, f64
}
