// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s

// CHECK-LABEL: func.func @plain
func.func @plain(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32> {
  // CHECK-NEXT: "tfmbs.lstm"(%arg0, %arg1, %arg2) {direction = "reverse", gates = "iofc", keep_cell = false, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []}
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "reverse", gates = "iofc", roles = [], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// CHECK-LABEL: func.func @everything
func.func @everything(%x: tensor<4x2x5xf32>, %w: tensor<2x12x5xf32>, %r: tensor<2x12x3xf32>, %b: tensor<2x12xf32>, %s: tensor<2x2x3xf32>) -> tensor<5x2x2x3xf32> {
  // CHECK-NEXT: "tfmbs.lstm"(%arg0, %arg1, %arg2, %arg3, %arg3, %arg4, %arg4) {direction = "both", gates = "ifco", keep_cell = true
  // CHECK-SAME: roles = ["bias", "recurrent_bias", "hidden", "cell"]
  %0 = "tfmbs.lstm"(%x, %w, %r, %b, %b, %s, %s) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0>, direction = "both", gates = "ifco", roles = ["bias", "recurrent_bias", "hidden", "cell"], keep_cell = true} : (tensor<4x2x5xf32>, tensor<2x12x5xf32>, tensor<2x12x3xf32>, tensor<2x12xf32>, tensor<2x12xf32>, tensor<2x2x3xf32>, tensor<2x2x3xf32>) -> tensor<5x2x2x3xf32>
  return %0 : tensor<5x2x2x3xf32>
}

// CHECK-LABEL: func.func @launch
func.func @launch(%x: memref<4x2x5xf32>, %w: memref<1x12x5xf32>, %r: memref<1x12x3xf32>, %o: memref<4x1x2x3xf32>, %b: memref<1x12xf32>) {
  // CHECK-NEXT: "tfmbs.kernel_lstm"(%arg0, %arg1, %arg2, %arg3, %arg4) {direction = "forward"
  "tfmbs.kernel_lstm"(%x, %w, %r, %o, %b) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = ["recurrent_bias"], keep_cell = false} : (memref<4x2x5xf32>, memref<1x12x5xf32>, memref<1x12x3xf32>, memref<4x1x2x3xf32>, memref<1x12xf32>) -> ()
  return
}
