// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s

// CHECK-LABEL: func.func @by_row
func.func @by_row(%x: tensor<2x8xf32>, %s: tensor<3x2xf32>) -> tensor<2x3xf32> {
  // CHECK-NEXT: %[[W:.*]] = "tfmbs.constant"() {value = dense<18> : tensor<6x2xi8>} : () -> tensor<6x4x!quant.uniform<i4:f32, 1.000000e+00>>
  %w = "tfmbs.constant"() {value = dense<18> : tensor<6x2xi8>} : () -> tensor<6x4x!quant.uniform<i4:f32, 1.0>>
  // CHECK-NEXT: "tfmbs.group_matmul"(%arg0, %[[W]], %arg1) ({
  // CHECK-NEXT: }) {activations = "absmax"
  %0 = "tfmbs.group_matmul"(%x, %w, %s) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, activations = "absmax", roles = []} : (tensor<2x8xf32>, tensor<6x4x!quant.uniform<i4:f32, 1.0>>, tensor<3x2xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @launch
func.func @launch(%x: memref<2x8xi8>, %w: memref<6x2xi8>, %s: memref<3x2xf32>, %y: memref<2x3xf32>) {
  // CHECK-NEXT: "tfmbs.kernel_group_gemm"(%arg0, %arg1, %arg2, %arg3) ({
  // CHECK-NEXT: }) {activations = "stored", lhs_zero = 3 : i64
  "tfmbs.kernel_group_gemm"(%x, %w, %s, %y) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, activations = "stored", rhs_packing = "nibbles", lhs_zero = 3 : i64, roles = []} : (memref<2x8xi8>, memref<6x2xi8>, memref<3x2xf32>, memref<2x3xf32>) -> ()
  return
}
