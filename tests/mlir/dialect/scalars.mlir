// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s
// The dialect's functions of scalars, in code, in the body of a generic and in an epilogue.

// CHECK-LABEL: func.func @types
func.func @types(%a: f16, %b: bf16, %c: f32, %d: f64) -> (f16, bf16, f32, f64) {
  // CHECK: "tfmbs.sigmoid"(%arg0) : (f16) -> f16
  %0 = "tfmbs.sigmoid"(%a) : (f16) -> f16
  // CHECK: "tfmbs.gelu"(%arg1) : (bf16) -> bf16
  %1 = "tfmbs.gelu"(%b) : (bf16) -> bf16
  // CHECK: "tfmbs.sigmoid"(%arg2) : (f32) -> f32
  %2 = "tfmbs.sigmoid"(%c) : (f32) -> f32
  // CHECK: "tfmbs.gelu"(%arg3) : (f64) -> f64
  %3 = "tfmbs.gelu"(%d) : (f64) -> f64
  return %0, %1, %2, %3 : f16, bf16, f32, f64
}

// CHECK-LABEL: func.func @body
func.func @body(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  // CHECK: linalg.generic
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    // CHECK: "tfmbs.gelu"(%in) : (f32) -> f32
    %r = "tfmbs.gelu"(%a) : (f32) -> f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @epilogue
func.func @epilogue(%x: tensor<2x8xf32>, %w: tensor<4x8xf32>) -> tensor<2x4xf32> {
  // CHECK: "tfmbs.matmul"
  %0 = "tfmbs.matmul"(%x, %w) ({
  ^bb0(%acc: f32):
    // CHECK: "tfmbs.sigmoid"
    %t = "tfmbs.sigmoid"(%acc) : (f32) -> f32
    "tfmbs.yield"(%t) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @functions
func.func @functions(%x: f32) -> f32 {
  // CHECK: "tfmbs.rsqrt"({{.*}}) : (f32) -> f32
  %0 = "tfmbs.rsqrt"(%x) : (f32) -> f32
  // CHECK: "tfmbs.exp"({{.*}}) : (f32) -> f32
  %1 = "tfmbs.exp"(%0) : (f32) -> f32
  // CHECK: "tfmbs.log"({{.*}}) : (f32) -> f32
  %2 = "tfmbs.log"(%1) : (f32) -> f32
  // CHECK: "tfmbs.tanh"({{.*}}) : (f32) -> f32
  %3 = "tfmbs.tanh"(%2) : (f32) -> f32
  // CHECK: "tfmbs.erf"({{.*}}) : (f32) -> f32
  %4 = "tfmbs.erf"(%3) : (f32) -> f32
  // CHECK: "tfmbs.sin"({{.*}}) : (f32) -> f32
  %5 = "tfmbs.sin"(%4) : (f32) -> f32
  // CHECK: "tfmbs.cos"({{.*}}) : (f32) -> f32
  %6 = "tfmbs.cos"(%5) : (f32) -> f32
  // CHECK: "tfmbs.pow"({{.*}}, %arg0) : (f32, f32) -> f32
  %7 = "tfmbs.pow"(%6, %x) : (f32, f32) -> f32
  return %7 : f32
}
