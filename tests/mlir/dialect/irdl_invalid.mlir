// RUN: torch-mlir-opt --irdl-file=%S/../../../docs/tfmbs.irdl.mlir %s --split-input-file --verify-diagnostics
// What the IRDL file says, upstream's tool checks.

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.softmax' op attribute "axis" is expected but not provided}}
  %0 = "tfmbs.softmax"(%x) : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @below {{op expects exactly 1 operands, but got 2}}
  %0 = "tfmbs.softmax"(%x, %x) {axis = 0 : i64} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @below {{unexpected number of regions: expected 1 but got 0}}
  %0 = "tfmbs.matmul"(%x, %x) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}
