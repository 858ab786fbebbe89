// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// kernel_group_gemm: a packed row for each group.

func.func @f(%x: memref<2x8xi8>, %w: memref<6x4xi8>, %s: memref<3x2xf32>, %y: memref<2x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_group_gemm' op rhs shape: expected 6x2 (a row for each group), got 6x4}}
  "tfmbs.kernel_group_gemm"(%x, %w, %s, %y) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, activations = "stored", rhs_packing = "nibbles", lhs_zero = 3 : i64, roles = []} : (memref<2x8xi8>, memref<6x4xi8>, memref<3x2xf32>, memref<2x3xf32>) -> ()
  return
}

// -----

func.func @f(%x: memref<2x8xi8>, %w: memref<6x2xi8>, %s: memref<3x2xf32>, %y: memref<2x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_group_gemm' op lhs element type: expected f32, got i8}}
  "tfmbs.kernel_group_gemm"(%x, %w, %s, %y) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, activations = "absmax", rhs_packing = "nibbles", lhs_zero = 0 : i64, roles = []} : (memref<2x8xi8>, memref<6x2xi8>, memref<3x2xf32>, memref<2x3xf32>) -> ()
  return
}
