// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s

// CHECK-LABEL: func.func @gemm
func.func @gemm(%lhs: memref<2x3xf32>, %rhs: memref<4x3xf32>, %bias: memref<4xf32>, %out: memref<2x4xf32>) {
  // CHECK-NEXT: %[[W:.*]] = "tfmbs.kernel_constant"() {packing = "pt5", shape = array<i64: 4, 3>, value = dense<121> : tensor<4x1xi8>} : () -> memref<4x1xi8>
  %w = "tfmbs.kernel_constant"() {value = dense<121> : tensor<4x1xi8>, packing = "pt5", shape = array<i64: 4, 3>} : () -> memref<4x1xi8>
  // CHECK-NEXT: "tfmbs.kernel_gemm"(%arg0, %[[W]], %arg3, %arg2) ({
  // CHECK: kind = "gemm", lhs_zero = 0 : i64
  // CHECK-SAME: rhs_packing = "pt5", roles = ["channel"], telemetry = {layer = "fc"}, tfmbs.schedule = #tfmbs.schedule<"weight_stationary", array<i64: 2, 4, 3>, 1 : i64, "0x1", "any", array<i64: 0, 0, 0>>
  "tfmbs.kernel_gemm"(%lhs, %w, %out, %bias) ({
  ^bb0(%acc: f32, %b: f32):
    %0 = arith.addf %acc, %b : f32
    "tfmbs.yield"(%0) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "pt5", lhs_zero = 0 : i64, roles = ["channel"], telemetry = {layer = "fc"}, tfmbs.schedule = #tfmbs.schedule<"weight_stationary", array<i64: 2, 4, 3>, 1 : i64, "0x1", "any", array<i64: 0, 0, 0>>} : (memref<2x3xf32>, memref<4x1xi8>, memref<2x4xf32>, memref<4xf32>) -> ()
  // CHECK: "tfmbs.kernel_gemm"(%arg0, %arg1, %arg3) ({
  // CHECK-NEXT: }) {kind = "gemm", lhs_zero = 0 : i64
  "tfmbs.kernel_gemm"(%lhs, %rhs, %out) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xf32>, memref<2x4xf32>) -> ()
  return
}

// A shared left operand has batch stride 0, a transposed right one swapped strides; the row of a gemv may lie anywhere.
// CHECK-LABEL: func.func @strided
func.func @strided(%lhs: memref<7x2x3xi8, strided<[0, 3, 1]>>, %rhs: memref<7x4x3xi8, strided<[12, 1, 4], offset: 5>>, %out: memref<7x2x4xi32>, %row: memref<1x3xf32, strided<[99, 1], offset: 9>>, %w: memref<4x3xf32>, %o: memref<1x4xf32, strided<[8, 1], offset: 4>>) {
  // CHECK: "tfmbs.kernel_gemm"(%arg0, %arg1, %arg2)
  // CHECK: lhs_zero = -3 : i64
  "tfmbs.kernel_gemm"(%lhs, %rhs, %out) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = -3 : i64, roles = []} : (memref<7x2x3xi8, strided<[0, 3, 1]>>, memref<7x4x3xi8, strided<[12, 1, 4], offset: 5>>, memref<7x2x4xi32>) -> ()
  // CHECK: kind = "gemv"
  "tfmbs.kernel_gemm"(%row, %w, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemv", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<1x3xf32, strided<[99, 1], offset: 9>>, memref<4x3xf32>, memref<1x4xf32, strided<[8, 1], offset: 4>>) -> ()
  return
}

// CHECK-LABEL: func.func @volumes
func.func @volumes(%x: memref<1x4x3x8x8xi8>, %f: memref<6x2x2x3x3xi8>, %o: memref<1x6x3x4x4xi32>) {
  // CHECK: "tfmbs.kernel_conv3d"(%arg0, %arg1, %arg2)
  // CHECK: kernel = array<i64: 2, 3, 3>, lhs_zero = 3 : i64
  "tfmbs.kernel_conv3d"(%x, %f, %o) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 2, 3, 3>, strides = array<i64: 1, 2, 2>, dilations = array<i64: 1, 1, 1>, pads = array<i64: 1, 1, 1, 0, 1, 1>, groups = 2 : i64, rhs_packing = "dense", lhs_zero = 3 : i64, roles = []} : (memref<1x4x3x8x8xi8>, memref<6x2x2x3x3xi8>, memref<1x6x3x4x4xi32>) -> ()
  return
}

// CHECK-LABEL: func.func @windows
func.func @windows(%x: memref<1x4x8x8xi8>, %scale: memref<6xf32>, %y: memref<1x6x4x4xi8>, %acc: memref<1x6x4x4xi32>) {
  // CHECK-NEXT: "tfmbs.kernel_constant"() {packing = "dense", shape = array<i64: 6, 2, 3, 3>
  %f = "tfmbs.kernel_constant"() {value = dense<1> : tensor<6x2x3x3xi8>, packing = "dense", shape = array<i64: 6, 2, 3, 3>} : () -> memref<6x2x3x3xi8>
  // CHECK: "tfmbs.kernel_conv2d"
  // CHECK: "tfmbs.yield"(%{{.*}}) : (i8) -> ()
  // CHECK: groups = 2 : i64, kernel = array<i64: 3, 3>, lhs_zero = 3 : i64
  "tfmbs.kernel_conv2d"(%x, %f, %y, %scale) ({
  ^bb0(%a: i32, %s: f32):
    %0 = arith.sitofp %a : i32 to f32
    %1 = arith.mulf %0, %s : f32
    %2 = math.roundeven %1 : f32
    %3 = arith.fptosi %2 : f32 to i8
    "tfmbs.yield"(%3) : (i8) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, groups = 2 : i64, rhs_packing = "dense", lhs_zero = 3 : i64, roles = ["channel"]} : (memref<1x4x8x8xi8>, memref<6x2x3x3xi8>, memref<1x6x4x4xi8>, memref<6xf32>) -> ()
  // Eighteen trits take five bytes of two bits each.
  // CHECK: "tfmbs.kernel_constant"
  %t = "tfmbs.kernel_constant"() {value = dense<85> : tensor<6x5xi8>, packing = "t2", shape = array<i64: 6, 2, 3, 3>} : () -> memref<6x5xi8>
  // CHECK: "tfmbs.kernel_conv2d"
  // CHECK: rhs_packing = "t2"
  "tfmbs.kernel_conv2d"(%x, %t, %acc) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, groups = 2 : i64, rhs_packing = "t2", lhs_zero = 3 : i64, roles = []} : (memref<1x4x8x8xi8>, memref<6x5xi8>, memref<1x6x4x4xi32>) -> ()
  // CHECK: %[[Z:.*]] = memref.alloc() {tfmbs.offset = 64 : i64}
  %z = memref.alloc() {tfmbs.offset = 64 : i64} : memref<1x4x4x4xi8>
  // CHECK-NEXT: "tfmbs.kernel_pool"(%arg0, %[[Z]]) {dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, mode = "max"
  "tfmbs.kernel_pool"(%x, %z) {mode = "max", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (memref<1x4x8x8xi8>, memref<1x4x4x4xi8>) -> ()
  // CHECK-NEXT: "tfmbs.kernel_copy"(%[[Z]], %[[Z]])
  "tfmbs.kernel_copy"(%z, %z) : (memref<1x4x4x4xi8>, memref<1x4x4x4xi8>) -> ()
  return
}
