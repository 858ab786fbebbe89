// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// kernel_conv2d, kernel_conv3d, kernel_pool and kernel_copy.

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op filter shape: expected 6x4x2x2, got 6x4x3x3}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x4x3x3xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op input channels: expected a multiple of groups 3, got 4}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 3 : i64, rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x4x3x3xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op output channels: expected a multiple of groups 4, got 6}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 4 : i64, rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x4x3x3xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op groups: expected at least 1, got 0}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 0 : i64, rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x4x3x3xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op strides: expected at least 1, got 0}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 0, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x4x3x3xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op number of kernel sizes: expected 2, got 1}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x4x3x3xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op out shape: expected 1x6x5x5, got 1x6x3x3}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, groups = 1 : i64, rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x4x3x3xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x9xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op rhs shape: expected 6x8 (rows packed as pt5), got 6x9}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, rhs_packing = "pt5", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x9xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op rhs_packing: expected dense or i8 or pt5 or t2 or s2 or s4 or r5 or a5 or nibbles, got pt7}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, rhs_packing = "pt7", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x4x3x3xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op lhs_zero: expected -128 to 127, got -129}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, rhs_packing = "dense", lhs_zero = -129 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x4x3x3xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8, strided<[100, 1, 20, 4]>>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op input strides: expected [100, 25, 5, 1] (dense), got [100, 1, 20, 4]}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8, strided<[100, 1, 20, 4]>>, memref<6x4x3x3xi8>, memref<1x6x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x5x5xi8>, %f: memref<6x4x3x3xi8>, %o: memref<1x6x3x3xi8>) {
  // expected-error @below {{'tfmbs.kernel_conv2d' op result element type: expected i32 (the accumulator, without an epilogue), got i8}}
  "tfmbs.kernel_conv2d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<1x4x5x5xi8>, memref<6x4x3x3xi8>, memref<1x6x3x3xi8>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x2x4x4xf32>, %o: memref<1x2x3x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_pool' op mode: expected max or avg or avg_padded, got none}}
  "tfmbs.kernel_pool"(%x, %o) {mode = "none", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (memref<1x2x4x4xf32>, memref<1x2x3x3xf32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x2x4x4xf32>, %o: memref<1x2x3x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_pool' op out shape: expected 1x2x2x2, got 1x2x3x3}}
  "tfmbs.kernel_pool"(%x, %o) {mode = "max", kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (memref<1x2x4x4xf32>, memref<1x2x3x3xf32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x2x4x4xi8>, %o: memref<1x2x3x3xi8>) {
  // expected-error @below {{'tfmbs.kernel_pool' op input element type: expected f32, got i8}}
  "tfmbs.kernel_pool"(%x, %o) {mode = "avg", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (memref<1x2x4x4xi8>, memref<1x2x3x3xi8>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x2x4x4xi32>, %o: memref<1x2x3x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_pool' op input element type: expected f32 or i8, got i32}}
  "tfmbs.kernel_pool"(%x, %o) {mode = "max", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (memref<1x2x4x4xi32>, memref<1x2x3x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x2x4x4xf32>, %o: memref<1x2x3x3xi8>) {
  // expected-error @below {{'tfmbs.kernel_pool' op out element type: expected f32, got i8}}
  "tfmbs.kernel_pool"(%x, %o) {mode = "max", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (memref<1x2x4x4xf32>, memref<1x2x3x3xi8>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x2x4x4xf32>, %o: memref<1x2x3x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_pool' op window height: expected at most 4 (input 4 and pads), got 5}}
  "tfmbs.kernel_pool"(%x, %o) {mode = "max", kernel = array<i64: 5, 1>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (memref<1x2x4x4xf32>, memref<1x2x3x3xf32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x2x4x4xf32>, %o: memref<1x2x3x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_pool' op schedule buffers: expected at least 1, got 0}}
  "tfmbs.kernel_pool"(%x, %o) {mode = "max", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 1, 1, 1>, 0 : i64, "0x1", "any", array<i64: 0, 0, 0>>} : (memref<1x2x4x4xf32>, memref<1x2x3x3xf32>) -> ()
  return
}

// -----

func.func @f(%x: memref<2x3xf32>, %o: memref<3x2xf32>) {
  // expected-error @below {{'tfmbs.kernel_copy' op out shape: expected 2x3 (shape of the input), got 3x2}}
  "tfmbs.kernel_copy"(%x, %o) : (memref<2x3xf32>, memref<3x2xf32>) -> ()
  return
}

// -----

func.func @f(%x: memref<2x3xf32>, %o: memref<2x3xi32>) {
  // expected-error @below {{'tfmbs.kernel_copy' op out element type: expected f32, got i32}}
  "tfmbs.kernel_copy"(%x, %o) : (memref<2x3xf32>, memref<2x3xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<2x3xf32, strided<[1, 2]>>, %o: memref<2x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_copy' op input strides: expected [3, 1] (dense), got [1, 2]}}
  "tfmbs.kernel_copy"(%x, %o) : (memref<2x3xf32, strided<[1, 2]>>, memref<2x3xf32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %o: memref<2x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_copy' op input: expected a memref, got tensor<2x3xf32>}}
  "tfmbs.kernel_copy"(%x, %o) : (tensor<2x3xf32>, memref<2x3xf32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x3x8x8xi8>, %f: memref<6x2x3x3x3xi8>, %o: memref<1x6x3x4x4xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv3d' op filter shape: expected 6x2x2x3x3, got 6x2x3x3x3}}
  "tfmbs.kernel_conv3d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 2, 3, 3>, strides = array<i64: 1, 2, 2>, dilations = array<i64: 1, 1, 1>, pads = array<i64: 1, 1, 1, 0, 1, 1>, groups = 2 : i64, rhs_packing = "dense", lhs_zero = 3 : i64, roles = []} : (memref<1x4x3x8x8xi8>, memref<6x2x3x3x3xi8>, memref<1x6x3x4x4xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x3x8x8xi8>, %f: memref<6x2x2x3x3xi8>, %o: memref<1x6x3x4x4xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv3d' op number of kernel sizes: expected 3, got 2}}
  "tfmbs.kernel_conv3d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 2, 3>, strides = array<i64: 1, 2, 2>, dilations = array<i64: 1, 1, 1>, pads = array<i64: 1, 1, 1, 0, 1, 1>, groups = 2 : i64, rhs_packing = "dense", lhs_zero = 3 : i64, roles = []} : (memref<1x4x3x8x8xi8>, memref<6x2x2x3x3xi8>, memref<1x6x3x4x4xi32>) -> ()
  return
}

// -----

func.func @f(%x: memref<1x4x3x8x8xi8>, %f: memref<6x2x2x3x3xi8>, %o: memref<1x6x3x4x5xi32>) {
  // expected-error @below {{'tfmbs.kernel_conv3d' op out shape: expected 1x6x3x4x4, got 1x6x3x4x5}}
  "tfmbs.kernel_conv3d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 2, 3, 3>, strides = array<i64: 1, 2, 2>, dilations = array<i64: 1, 1, 1>, pads = array<i64: 1, 1, 1, 0, 1, 1>, groups = 2 : i64, rhs_packing = "dense", lhs_zero = 3 : i64, roles = []} : (memref<1x4x3x8x8xi8>, memref<6x2x2x3x3xi8>, memref<1x6x3x4x5xi32>) -> ()
  return
}
