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

func.func @packed_slice() -> tensor<1x7x!tfmbs.ternary<"pt5">> {
  %w = "tfmbs.constant"() {value = dense<121> : tensor<3x2xi8>} : () -> tensor<3x7x!tfmbs.ternary<"pt5">>
  // expected-error@+1 {{tensor.extract_slice of packed elements}}
  %0 = tensor.extract_slice %w[0, 0] [1, 7] [1, 1] : tensor<3x7x!tfmbs.ternary<"pt5">> to tensor<1x7x!tfmbs.ternary<"pt5">>
  return %0 : tensor<1x7x!tfmbs.ternary<"pt5">>
}

// -----

// A part of a concatenation, which would be computed in its place there.
#same = affine_map<(i, j) -> (i, j)>
func.func @no_elements_beside(%x: tensor<2x0xf32>, %y: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %e = tensor.empty() : tensor<2x0xf32>
  // expected-error@+1 {{linalg.generic: shape, expected sizes of at least 1, got tensor<2x0xf32>}}
  %a = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<2x0xf32>) outs(%e : tensor<2x0xf32>) {
  ^bb0(%v: f32, %o: f32):
    %r = math.sqrt %v : f32
    linalg.yield %r : f32
  } -> tensor<2x0xf32>
  %c = tensor.concat dim(1) %y, %a : (tensor<2x3xf32>, tensor<2x0xf32>) -> tensor<2x3xf32>
  return %c : tensor<2x3xf32>
}

// -----

func.func @computed_weights(%x: tensor<1x2xf32>, %a: tensor<1x2xf32>, %b: tensor<2x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>) {
  // expected-error@+1 {{tfmbs.fused_gemv: weights, expected constants, got a computed tensor}}
  %0:2 = "tfmbs.fused_gemv"(%x, %a, %b) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 1, 0>} : (tensor<1x2xf32>, tensor<1x2xf32>, tensor<2x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>)
  return %0#0, %0#1 : tensor<1x1xf32>, tensor<1x2xf32>
}

// -----

// A buffer whose size is known at run time only.
func.func @dynamic_buffer(%x: tensor<8xf32>, %n: tensor<index>) -> tensor<8xf32> {
  %c = tensor.extract %n[] : tensor<index>
  %0 = tensor.extract_slice %x[0] [%c] [1] : tensor<8xf32> to tensor<?xf32>
  // expected-error@+1 {{a buffer that structured code needs, expected static sizes of at least 1, got memref<?xf32>}}
  %1 = tensor.empty(%c) : tensor<?xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%0 : tensor<?xf32>) outs(%1 : tensor<?xf32>) {
  ^bb0(%e: f32, %o: f32):
    linalg.yield %e : f32
  } -> tensor<?xf32>
  %3 = tensor.insert_slice %2 into %x[0] [%c] [1] : tensor<?xf32> into tensor<8xf32>
  return %3 : tensor<8xf32>
}

// -----

// A kernel whose order of sums no structured op has.
func.func @average(%x: tensor<1x1x4x4xf32>, %c: tensor<i1>) -> tensor<1x1x4x4xf32> {
  %0 = tensor.extract %c[] : tensor<i1>
  %1 = scf.if %0 -> tensor<1x1x4x4xf32> {
    // expected-error@+1 {{tfmbs.pool of averages in structured code}}
    %2 = "tfmbs.pool"(%x) {kind = "avg", kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32>
    scf.yield %2 : tensor<1x1x4x4xf32>
  } else {
    scf.yield %x : tensor<1x1x4x4xf32>
  }
  return %1 : tensor<1x1x4x4xf32>
}

// -----

// An op that upstream cannot bufferize.
func.func @no_buffers(%x: tensor<8xf32>, %i: tensor<2x1xindex>) -> tensor<2xf32> {
  // expected-error@+1 {{structured code that upstream does not bufferize: tensor.gather (tensor<8xf32>, tensor<2x1xindex>) -> tensor<2xf32>: op was not bufferized}}
  %0 = tensor.gather %x[%i] gather_dims([0]) : (tensor<8xf32>, tensor<2x1xindex>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

// A state that only goes in.
// expected-error@+1 {{type of state 's', expected tensor<4xf32>, got none}}
func.func @no_new_state(%s: tensor<4xf32> {tfmbs.state = "s"}) -> tensor<4xf32> {
  return %s : tensor<4xf32>
}
