// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// kernel_constant and kernel_gemm.

func.func @f() {
  // expected-error @below {{'tfmbs.kernel_constant' op packing: expected dense or i8 or pt5 or t2 or s2 or s4 or r5 or a5 or nibbles, got b3}}
  %0 = "tfmbs.kernel_constant"() {value = dense<0> : tensor<4x1xi8>, packing = "b3", shape = array<i64: 4, 3>} : () -> memref<4x1xi8>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.kernel_constant' op result shape: expected 4x1 (stored elements), got 4x3}}
  %0 = "tfmbs.kernel_constant"() {value = dense<0> : tensor<4x3xi8>, packing = "pt5", shape = array<i64: 4, 3>} : () -> memref<4x3xi8>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.kernel_constant' op result element type: expected i8, got i32}}
  %0 = "tfmbs.kernel_constant"() {value = dense<0> : tensor<4x1xi32>, packing = "pt5", shape = array<i64: 4, 3>} : () -> memref<4x1xi32>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.kernel_constant' op value type: expected tensor<4x3xf32> (type of the result), got tensor<12xf32>}}
  %0 = "tfmbs.kernel_constant"() {value = dense<0.0> : tensor<12xf32>, packing = "dense", shape = array<i64: 4, 3>} : () -> memref<4x3xf32>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.kernel_constant' op shape: expected at least 1, got 0}}
  %0 = "tfmbs.kernel_constant"() {value = dense<0.0> : tensor<4x3xf32>, packing = "dense", shape = array<i64: 4, 0>} : () -> memref<4x3xf32>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.kernel_constant' op result strides: expected [3, 1] (dense), got [1, 4]}}
  %0 = "tfmbs.kernel_constant"() {value = dense<0.0> : tensor<4x3xf32>, packing = "dense", shape = array<i64: 4, 3>} : () -> memref<4x3xf32, strided<[1, 4]>>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.kernel_constant' op value: expected dense elements, got "w"}}
  %0 = "tfmbs.kernel_constant"() {value = "w", packing = "dense", shape = array<i64: 4, 3>} : () -> memref<4x3xf32>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.kernel_constant' op result: expected a memref, got tensor<4x3xf32>}}
  %0 = "tfmbs.kernel_constant"() {value = dense<0.0> : tensor<4x3xf32>, packing = "dense", shape = array<i64: 4, 3>} : () -> tensor<4x3xf32>
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op kind: expected gemm or gemv, got matmul}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "matmul", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xf32>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op lhs rows: expected 1 (kind gemv), got 2}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemv", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xf32>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op rhs_packing: expected dense or i8 or pt5 or t2 or s2 or s4 or r5 or a5 or nibbles, got b3}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "b3", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xf32>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<3xf32>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op lhs rank: expected 2 to 3, got 1}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<3xf32>, memref<4x3xf32>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<1x4x3xf32>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op rhs rank: expected 2, got 3}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<1x4x3xf32>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xf32>, %x2: memref<1x2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op out rank: expected 2, got 3}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xf32>, memref<1x2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x5xf32>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op rhs shape: expected 4x3 (rows of out's columns, lhs columns), got 4x5}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x5xf32>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xf32>, %x2: memref<3x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op out shape: expected 2x4, got 3x4}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xf32>, memref<3x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32, strided<[1, 2]>>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op out strides: expected [4, 1] (dense), got [1, 2]}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xf32>, memref<2x4xf32, strided<[1, 2]>>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32, strided<[?, 1]>>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op lhs strides: expected at least 0}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32, strided<[?, 1]>>, memref<4x3xf32>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xi8>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op rhs shape: expected 4x1 (rows packed as pt5), got 4x3}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "pt5", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xi8>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xi8, strided<[4, 1]>>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op rhs strides: expected [3, 1] (dense), got [4, 1]}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "i8", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xi8, strided<[4, 1]>>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op rhs element type: expected i8 (lhs is f32, rhs_packing i8), got f32}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "i8", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xf32>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xi8>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op rhs element type: expected f32 (lhs is f32, rhs_packing dense), got i8}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xi8>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf64>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op lhs element type: expected f32 or i8, got f64}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf64>, memref<4x3xf32>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op lhs_zero: expected 0 (lhs is f32), got 3}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 3 : i64, roles = []} : (memref<2x3xf32>, memref<4x3xf32>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xi8>, %x1: memref<4x3xi8>, %x2: memref<2x4xi32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op lhs_zero: expected -128 to 127, got 200}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 200 : i64, roles = []} : (memref<2x3xi8>, memref<4x3xi8>, memref<2x4xi32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xi8>, %x1: memref<4x3xi8>, %x2: memref<2x4xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op result element type: expected i32 (the accumulator, without an epilogue), got f32}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xi8>, memref<4x3xi8>, memref<2x4xf32>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32>, %x3: memref<4xf32, strided<[2]>>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op epilogue operand 0 strides: expected [1] (dense), got [2]}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2, %x3) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = ["channel"]} : (memref<2x3xf32>, memref<4x3xf32>, memref<2x4xf32>, memref<4xf32, strided<[2]>>) -> ()
  return
}

// -----

func.func @f(%x0: memref<2x3xf32>, %x1: memref<4x3xf32>, %x2: memref<2x4xf32>, %x3: memref<2xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op epilogue operand 0 shape: expected 4 (role channel), got 2}}
  "tfmbs.kernel_gemm"(%x0, %x1, %x2, %x3) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = ["channel"]} : (memref<2x3xf32>, memref<4x3xf32>, memref<2x4xf32>, memref<2xf32>) -> ()
  return
}

// -----

func.func @f(%a: memref<2x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_gemm' op number of operands: expected 3 to 11, got 2}}
  "tfmbs.kernel_gemm"(%a, %a) ({}) {kind = "gemm", rhs_packing = "dense", lhs_zero = 0 : i64, roles = []} : (memref<2x3xf32>, memref<2x3xf32>) -> ()
  return
}
