// RUN: tfmbs-opt %s --split-input-file --tfmbs-fuse | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-fuse=max-operands=1 | filecheck %s --check-prefixes FEW
// RUN: tfmbs-opt %s --split-input-file --tfmbs-fuse=stored | filecheck %s --check-prefixes STORED

// Bias, residual and ReLU: one kernel is left. Telemetry survives, the product moves below its residual.
// CHECK-LABEL: func.func @bias_residual_relu
// CHECK-SAME:    (%[[X:.*]]: tensor<1x1x3x3xf32>, %[[W:.*]]: tensor<2x1x1x1xf32>, %[[B:.*]]: tensor<2xf32>, %[[R:.*]]: tensor<1x2x3x3xf32>)
// CHECK:       %[[T:.*]] = linalg.generic {{.*}} ins(%[[R]]
// CHECK:         math.tanh
// CHECK:       %[[Y:.*]] = "tfmbs.conv2d"(%[[X]], %[[W]], %[[B]], %[[T]]) ({
// CHECK-NEXT:  ^bb0(%[[ACC:.*]]: f32, %[[CH:.*]]: f32, %[[EL:.*]]: f32):
// CHECK-NEXT:    %[[S:.*]] = arith.addf %[[ACC]], %[[CH]] : f32
// CHECK-NEXT:    %[[U:.*]] = arith.addf %[[EL]], %[[S]] : f32
// CHECK-NEXT:    %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT:    %[[C:.*]] = arith.cmpf ugt, %[[U]], %[[ZERO]] : f32
// CHECK-NEXT:    %[[Z:.*]] = arith.select %[[C]], %[[U]], %[[ZERO]] : f32
// CHECK-NEXT:    "tfmbs.yield"(%[[Z]]) : (f32) -> ()
// CHECK-NEXT:  })
// CHECK-SAME:    roles = ["channel", "element"]
// CHECK-SAME:    telemetry = {layer = "stem", sparsity = 5.000000e-01 : f64, total = 2 : i64, zero_count = 1 : i64}
// CHECK-NOT:   linalg.generic
// CHECK:       return %[[Y]]
//
// With one operand the bias fits, the residual does not, and so neither does the ReLU behind it.
// FEW-LABEL:   func.func @bias_residual_relu
// FEW:         "tfmbs.conv2d"
// FEW:         roles = ["channel"]
// FEW:         linalg.generic
// FEW:         linalg.generic
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#channel = affine_map<(d0, d1, d2, d3) -> (d1)>
func.func @bias_residual_relu(%x: tensor<1x1x3x3xf32>, %w: tensor<2x1x1x1xf32>, %b: tensor<2xf32>, %r: tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, telemetry = {layer = "stem", sparsity = 0.5 : f64, total = 2 : i64, zero_count = 1 : i64}} : (tensor<1x1x3x3xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x3x3xf32>
  %e = tensor.empty() : tensor<1x2x3x3xf32>
  %t = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%r : tensor<1x2x3x3xf32>) outs(%e : tensor<1x2x3x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = math.tanh %in : f32
    linalg.yield %s : f32
  } -> tensor<1x2x3x3xf32>
  %1 = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%0, %b : tensor<1x2x3x3xf32>, tensor<2xf32>) outs(%e : tensor<1x2x3x3xf32>) {
  ^bb0(%in: f32, %c: f32, %out: f32):
    %s = arith.addf %in, %c : f32
    linalg.yield %s : f32
  } -> tensor<1x2x3x3xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%t, %1 : tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32>) outs(%e : tensor<1x2x3x3xf32>) {
  ^bb0(%in: f32, %c: f32, %out: f32):
    %s = arith.addf %in, %c : f32
    linalg.yield %s : f32
  } -> tensor<1x2x3x3xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%2 : tensor<1x2x3x3xf32>) outs(%e : tensor<1x2x3x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %c = arith.cmpf ugt, %in, %zero : f32
    %s = arith.select %c, %in, %zero : f32
    linalg.yield %s : f32
  } -> tensor<1x2x3x3xf32>
  return %3 : tensor<1x2x3x3xf32>
}

// -----

// Requantization: the epilogue works on i32 accumulators and the cast of its i8 results goes into the result type.
// A residual of quantized type is read as stored integers; a splat is a constant, a 1×N row is flattened.
// CHECK-LABEL: func.func @requantize
// CHECK:       %[[M:.*]] = arith.constant dense<[5.000000e-01, 2.500000e-01]> : tensor<2xf32>
// CHECK:       "tfmbs.matmul"(%arg0, %arg1, %[[M]], %arg2) ({
// CHECK-NEXT:  ^bb0(%{{.*}}: i32, %{{.*}}: f32, %{{.*}}: i8):
// CHECK:         arith.constant 3.000000e+00 : f32
// CHECK:         "tfmbs.yield"(%{{.*}}) : (i8) -> ()
// CHECK-NEXT:  })
// CHECK-SAME:    roles = ["channel", "element"]
// CHECK-SAME:    -> tensor<4x2x!quant.uniform<i8:f32, 2.000000e+00>>
// CHECK-NOT:   quant.scast
// CHECK:       return
#id2 = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (0, d1)>
func.func @requantize(%x: tensor<4x3x!quant.uniform<i8:f32, 1.0>>, %w: tensor<2x3x!quant.uniform<i8:f32:0, {1.0, 1.0}>>, %r: tensor<4x2x!quant.uniform<i8:f32, 1.0>>) -> tensor<4x2x!quant.uniform<i8:f32, 2.0>> {
  %m = arith.constant dense<[[0.5, 0.25]]> : tensor<1x2xf32>
  %three = arith.constant dense<3.0> : tensor<4x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<4x3x!quant.uniform<i8:f32, 1.0>>, tensor<2x3x!quant.uniform<i8:f32:0, {1.0, 1.0}>>) -> tensor<4x2xi32>
  %s = quant.scast %r : tensor<4x2x!quant.uniform<i8:f32, 1.0>> to tensor<4x2xi8>
  %e = tensor.empty() : tensor<4x2xi8>
  %1 = linalg.generic {indexing_maps = [#id2, #row, #id2, #id2, #id2], iterator_types = ["parallel", "parallel"]} ins(%0, %m, %s, %three : tensor<4x2xi32>, tensor<1x2xf32>, tensor<4x2xi8>, tensor<4x2xf32>) outs(%e : tensor<4x2xi8>) {
  ^bb0(%acc: i32, %k: f32, %res: i8, %t: f32, %out: i8):
    %f = arith.sitofp %acc : i32 to f32
    %g = arith.mulf %f, %k : f32
    %h = arith.sitofp %res : i8 to f32
    %i = arith.addf %g, %h : f32
    %j = arith.maximumf %i, %t : f32
    %q = arith.fptosi %j : f32 to i8
    linalg.yield %q : i8
  } -> tensor<4x2xi8>
  %2 = quant.scast %1 : tensor<4x2xi8> to tensor<4x2x!quant.uniform<i8:f32, 2.0>>
  return %2 : tensor<4x2x!quant.uniform<i8:f32, 2.0>>
}

// -----

// batch_matmul has an epilogue too; its channels are the last dimension.
// CHECK-LABEL: func.func @batch
// CHECK:       "tfmbs.batch_matmul"(%arg0, %arg1, %arg2)
// CHECK:       roles = ["channel"]
// CHECK-NOT:   linalg.generic
func.func @batch(%x: tensor<2x3x4xf32>, %y: tensor<2x5x4xf32>, %b: tensor<5xf32>) -> tensor<2x3x5xf32> {
  %0 = "tfmbs.batch_matmul"(%x, %y) ({}) {rhs_layout = "nk", roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x3x4xf32>, tensor<2x5x4xf32>) -> tensor<2x3x5xf32>
  %e = tensor.empty() : tensor<2x3x5xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(b, m, n) -> (b, m, n)>, affine_map<(b, m, n) -> (n)>, affine_map<(b, m, n) -> (b, m, n)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%0, %b : tensor<2x3x5xf32>, tensor<5xf32>) outs(%e : tensor<2x3x5xf32>) {
  ^bb0(%in: f32, %c: f32, %out: f32):
    %s = arith.mulf %in, %c : f32
    linalg.yield %s : f32
  } -> tensor<2x3x5xf32>
  return %1 : tensor<2x3x5xf32>
}

// -----

// Somebody else reads the product: it has to be written as it is.
// CHECK-LABEL: func.func @second_use
// CHECK:       %[[P:.*]] = "tfmbs.matmul"(%arg0, %arg1) ({
// CHECK:       linalg.generic {{.*}} ins(%[[P]]
#id3 = affine_map<(d0, d1) -> (d0, d1)>
func.func @second_use(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %1 = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = math.tanh %in : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %0, %1 : tensor<2x3xf32>, tensor<2x3xf32>
}

// -----

// A reduction is no elementwise code.
// CHECK-LABEL: func.func @reduction
// CHECK:       "tfmbs.matmul"(%arg0, %arg1) ({
// CHECK-NEXT:  })
// CHECK:       iterator_types = ["parallel", "reduction"]
func.func @reduction(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>, %init: tensor<2xf32>) -> tensor<2xf32> {
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%0 : tensor<2x3xf32>) outs(%init : tensor<2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %in, %out : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// -----

// The transposed product is read elsewhere than where the result is written.
// CHECK-LABEL: func.func @transposed
// CHECK:       "tfmbs.matmul"(%arg0, %arg1) ({
// CHECK-NEXT:  })
// CHECK:       linalg.generic
func.func @transposed(%x: tensor<3x4xf32>, %w: tensor<3x4xf32>) -> tensor<3x3xf32> {
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x3xf32>
  %e = tensor.empty() : tensor<3x3xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<3x3xf32>) outs(%e : tensor<3x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.negf %in : f32
    linalg.yield %s : f32
  } -> tensor<3x3xf32>
  return %1 : tensor<3x3xf32>
}

// -----

// One operand per row is neither per channel nor per element.
// CHECK-LABEL: func.func @per_row
// CHECK:       "tfmbs.matmul"(%arg0, %arg1) ({
// CHECK-NEXT:  })
// CHECK:       linalg.generic
func.func @per_row(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>, %b: tensor<2xf32>) -> tensor<2x3xf32> {
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%0, %b : tensor<2x3xf32>, tensor<2xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%in: f32, %c: f32, %out: f32):
    %s = arith.addf %in, %c : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}

// -----

// An index is no scalar arithmetic of the epilogue; nor is a value computed outside.
// CHECK-LABEL: func.func @indexed
// CHECK-COUNT-2: linalg.generic
#id4 = affine_map<(d0, d1) -> (d0, d1)>
func.func @indexed(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>, %k: f32) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %1 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %e = tensor.empty() : tensor<2x3xf32>
  %2 = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %i = linalg.index 0 : index
    %j = arith.index_cast %i : index to i32
    %f = arith.sitofp %j : i32 to f32
    %s = arith.addf %in, %f : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  %3 = linalg.generic {indexing_maps = [#id4, #id4], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<2x3xf32>) outs(%e : tensor<2x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %s = arith.addf %in, %k : f32
    linalg.yield %s : f32
  } -> tensor<2x3xf32>
  return %2, %3 : tensor<2x3xf32>, tensor<2x3xf32>
}

// -----

// Of a product with one row, a constant row is one value per channel.
// CHECK-LABEL: func.func @one_row
// CHECK:       %[[B:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]> : tensor<3xf32>
// CHECK:       "tfmbs.gemv"(%arg0, %arg1, %[[B]]) ({
// CHECK:       roles = ["channel"]
#id5 = affine_map<(d0, d1) -> (d0, d1)>
func.func @one_row(%x: tensor<1x4xf32>, %w: tensor<3x4xf32>) -> tensor<1x3xf32> {
  %b = arith.constant dense<[[1.0, 2.0, 3.0]]> : tensor<1x3xf32>
  %0 = "tfmbs.gemv"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x4xf32>, tensor<3x4xf32>) -> tensor<1x3xf32>
  %e = tensor.empty() : tensor<1x3xf32>
  %1 = linalg.generic {indexing_maps = [#id5, #id5, #id5], iterator_types = ["parallel", "parallel"]} ins(%0, %b : tensor<1x3xf32>, tensor<1x3xf32>) outs(%e : tensor<1x3xf32>) {
  ^bb0(%in: f32, %c: f32, %out: f32):
    %s = arith.addf %in, %c : f32
    linalg.yield %s : f32
  } -> tensor<1x3xf32>
  return %1 : tensor<1x3xf32>
}

// -----

// Results of 64 bits take a pair of registers, where the accumulators are: their code stays behind.
// CHECK-LABEL: func.func @wide
// CHECK:       "tfmbs.matmul"
// CHECK:       linalg.generic
// CHECK:         arith.extf
func.func @wide(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf64> {
  %0 = "tfmbs.matmul"(%x, %w) ({
  }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  %1 = tensor.empty() : tensor<2x4xf64>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x4xf32>) outs(%1 : tensor<2x4xf64>) {
  ^bb0(%in: f32, %out: f64):
    %3 = arith.extf %in : f32 to f64
    linalg.yield %3 : f64
  } -> tensor<2x4xf64>
  return %2 : tensor<2x4xf64>
}

// -----

// Stored elements behind a cast are the epilogue's with `stored`, unless the code reads another tensor beside them.
// CHECK-LABEL: func.func @behind_cast
// CHECK:       %[[P:.*]] = "tfmbs.matmul"(%arg0, %arg1) ({
// CHECK:       quant.scast %[[P]]
// CHECK:       linalg.generic
// STORED-LABEL: func.func @behind_cast
// STORED:      %[[P:.*]] = "tfmbs.matmul"(%arg0, %arg1, %arg2) ({
// STORED-NEXT: ^bb0(%[[ACC:.*]]: i32, %[[B:.*]]: i8):
// STORED-NEXT:   %[[T:.*]] = arith.trunci %[[ACC]] : i32 to i8
// STORED-NEXT:   %[[S:.*]] = arith.addi %[[T]], %[[B]] : i8
// STORED-NEXT:   "tfmbs.yield"(%[[S]]) : (i8) -> ()
// STORED-NOT:  scast
// STORED:      return %[[P]] : tensor<2x3xi8>
// STORED-LABEL: func.func @residual_behind_cast
// STORED:      quant.scast
// STORED:      linalg.generic
!q = !quant.uniform<i8:f32, 5.0e-01>
#id6 = affine_map<(d0, d1) -> (d0, d1)>
#channel6 = affine_map<(d0, d1) -> (d1)>
func.func @behind_cast(%x: tensor<2x4x!q>, %w: tensor<3x4x!q>, %b: tensor<3xi8>) -> tensor<2x3xi8> {
  %0 = "tfmbs.matmul"(%x, %w) ({
  ^bb0(%acc: i32):
    %t = arith.trunci %acc : i32 to i8
    "tfmbs.yield"(%t) : (i8) -> ()
  }) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x4x!q>, tensor<3x4x!q>) -> tensor<2x3x!q>
  %1 = quant.scast %0 : tensor<2x3x!q> to tensor<2x3xi8>
  %e = tensor.empty() : tensor<2x3xi8>
  %2 = linalg.generic {indexing_maps = [#id6, #channel6, #id6], iterator_types = ["parallel", "parallel"]} ins(%1, %b : tensor<2x3xi8>, tensor<3xi8>) outs(%e : tensor<2x3xi8>) {
  ^bb0(%in: i8, %c: i8, %out: i8):
    %s = arith.addi %in, %c : i8
    linalg.yield %s : i8
  } -> tensor<2x3xi8>
  return %2 : tensor<2x3xi8>
}

func.func @residual_behind_cast(%x: tensor<2x4x!q>, %w: tensor<3x4x!q>, %r: tensor<2x3xi8>) -> tensor<2x3xi8> {
  %0 = "tfmbs.matmul"(%x, %w) ({
  ^bb0(%acc: i32):
    %t = arith.trunci %acc : i32 to i8
    "tfmbs.yield"(%t) : (i8) -> ()
  }) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x4x!q>, tensor<3x4x!q>) -> tensor<2x3x!q>
  %1 = quant.scast %0 : tensor<2x3x!q> to tensor<2x3xi8>
  %e = tensor.empty() : tensor<2x3xi8>
  %2 = linalg.generic {indexing_maps = [#id6, #id6, #id6], iterator_types = ["parallel", "parallel"]} ins(%1, %r : tensor<2x3xi8>, tensor<2x3xi8>) outs(%e : tensor<2x3xi8>) {
  ^bb0(%in: i8, %c: i8, %out: i8):
    %s = arith.addi %in, %c : i8
    linalg.yield %s : i8
  } -> tensor<2x3xi8>
  return %2 : tensor<2x3xi8>
}
