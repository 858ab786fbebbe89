// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-to-kernel

func.func @softmax(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // expected-error@+1 {{tfmbs.softmax has no kernel-level form}}
  %0 = "tfmbs.softmax"(%x) {axis = 1 : i64} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

// expected-error@+1 {{func.func: shape, expected static sizes, got tensor<?x4xf32>}}
func.func @dynamic(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

func.func @no_elements(%x: tensor<1xf32>) -> tensor<1xf32> {
  // expected-error@+1 {{arith.constant: shape, expected sizes of at least 1, got tensor<0xf32>}}
  %0 = arith.constant dense<> : tensor<0xf32>
  %1 = tensor.concat dim(0) %0, %x : (tensor<0xf32>, tensor<1xf32>) -> tensor<1xf32>
  return %1 : tensor<1xf32>
}

// -----

func.func @dynamic_slice(%x: tensor<8xf32>, %y: tensor<index>) -> tensor<2xf32> {
  %i = arith.constant 1 : index
  %j = arith.addi %i, %i : index // expected-error {{arith.addi has no kernel-level form}}
  %0 = tensor.extract_slice %x[%j] [2] [1] : tensor<8xf32> to tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @captured_tensor(%x: tensor<8xf32>, %y: tensor<2xf32>) -> tensor<2xf32> {
  %e = tensor.empty() : tensor<2xf32>
  // expected-error@+1 {{tensor.extract in the body of linalg.generic: operand tensor<8xf32>, expected scalars}}
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%e : tensor<2xf32>) {
  ^bb0(%acc: f32):
    %i = linalg.index 0 : index
    %v = tensor.extract %x[%i] : tensor<8xf32>
    linalg.yield %v : f32
  } -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @packed_slice() -> tensor<1x7x!tfmbs.ternary<"pt5">> {
  %w = "tfmbs.constant"() {value = dense<121> : tensor<3x2xi8>} : () -> tensor<3x7x!tfmbs.ternary<"pt5">>
  // expected-error@+1 {{tensor.extract_slice of packed trits}}
  %0 = tensor.extract_slice %w[0, 0] [1, 7] [1, 1] : tensor<3x7x!tfmbs.ternary<"pt5">> to tensor<1x7x!tfmbs.ternary<"pt5">>
  return %0 : tensor<1x7x!tfmbs.ternary<"pt5">>
}

// -----

func.func @computed_weights(%x: tensor<1x2xf32>, %a: tensor<1x2xf32>, %b: tensor<2x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>) {
  // expected-error@+1 {{tfmbs.fused_gemv: weights, expected constants, got a computed tensor}}
  %0:2 = "tfmbs.fused_gemv"(%x, %a, %b) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 1, 0>} : (tensor<1x2xf32>, tensor<1x2xf32>, tensor<2x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>)
  return %0#0, %0#1 : tensor<1x1xf32>, tensor<1x2xf32>
}
