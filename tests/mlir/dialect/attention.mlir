// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s

// CHECK-LABEL: func.func @shared_heads
func.func @shared_heads(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32> {
  // CHECK-NEXT: "tfmbs.attention"(%arg0, %arg1, %arg2) {causal = true, clear = false, fill = 0xFF800000 : f32, mask_mode = "none", offset = 2 : i64, scale = 2.500000e-01 : f32}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 0.25 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = true, offset = 2 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// CHECK-LABEL: func.func @masked
func.func @masked(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %m: tensor<1x1x3x5xi1>) -> tensor<1x4x3x6xf32> {
  // CHECK-NEXT: "tfmbs.attention"(%arg0, %arg1, %arg2, %arg3) {causal = false, clear = true, fill = -3.40282347E+38 : f32, mask_mode = "select"
  // CHECK-SAME: tensor<1x1x3x5xi1>
  %0 = "tfmbs.attention"(%q, %k, %v, %m) {scale = 1.0 : f32, mask_mode = "select", fill = -3.40282347E+38 : f32, causal = false, offset = 0 : i64, clear = true} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x1x3x5xi1>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// CHECK-LABEL: func.func @launch
func.func @launch(%q: memref<1x4x3x8xf32>, %k: memref<1x2x5x8xf32>, %v: memref<1x2x5x6xf32>, %o: memref<1x4x3x6xf32>, %m: memref<1x4x1x5xf32>) {
  // CHECK-NEXT: "tfmbs.kernel_attention"(%arg0, %arg1, %arg2, %arg3, %arg4) {causal = false
  "tfmbs.kernel_attention"(%q, %k, %v, %o, %m) {scale = 1.0 : f32, mask_mode = "add", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (memref<1x4x3x8xf32>, memref<1x2x5x8xf32>, memref<1x2x5x6xf32>, memref<1x4x3x6xf32>, memref<1x4x1x5xf32>) -> ()
  return
}
