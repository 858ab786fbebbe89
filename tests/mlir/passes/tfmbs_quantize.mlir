// RUN: tfmbs-opt %s --split-input-file --tfmbs-quantize | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-quantize=precision=ternary | filecheck %s --check-prefixes TERN
// RUN: tfmbs-opt %s --split-input-file --tfmbs-quantize=precision=fp32 | filecheck %s --check-prefixes SAME

// Input by its range, weights per output channel, the bias in i32, and what an accumulator is worth: 0.5 · weight scale.
// CHECK-LABEL: func.func @conv
// CHECK-SAME:    %[[X:.*]]: tensor<1x1x4x4xf32>
// CHECK-DAG:   %[[Q:.*]] = "tfmbs.quantize"(%[[X]]) : (tensor<1x1x4x4xf32>) -> tensor<1x1x4x4x!quant.uniform<i8:f32, 5.000000e-01:-128>>
// CHECK-DAG:   %[[W:.*]] = "tfmbs.constant"() {value = dense<{{.*}}127{{.*}}64{{.*}}-127{{.*}}> : tensor<2x1x1x2xi8>} : () -> tensor<2x1x1x2x!quant.uniform<i8:f32:0, {1.000000e+00,2.000000e+00}>>
// CHECK:       %[[ACC:.*]] = "tfmbs.conv2d"(%[[Q]], %[[W]]) ({
// CHECK-NEXT:  telemetry = {layer = "stem", sparsity = 2.500000e-01 : f64, total = 4 : i64, zero_count = 1 : i64}}
// CHECK-SAME:  -> tensor<1x2x4x3xi32>
// CHECK:       %[[B:.*]] = arith.constant dense<[3, -2]> : tensor<2xi32>
// CHECK:       %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[ACC]], %[[B]] : tensor<1x2x4x3xi32>, tensor<2xi32>)
// CHECK:         arith.addi
// CHECK:       %[[S:.*]] = arith.constant dense<[5.000000e-01, 1.000000e+00]> : tensor<2xf32>
// CHECK:       %[[Y:.*]] = "tfmbs.dequantize"(%[[SUM]], %[[S]]) {axis = 1 : i64} : (tensor<1x2x4x3xi32>, tensor<2xf32>) -> tensor<1x2x4x3xf32>
// CHECK-NOT:   addf
// CHECK:       return %[[Y]]
//
// With a range, ternary weights meet quantized inputs; 64 is below 0.7 · mean(127, 64).
// TERN-LABEL:  func.func @conv
// TERN:        "tfmbs.constant"() {value = dense<{{.*}}1{{.*}}0{{.*}}-1{{.*}}0{{.*}}> : tensor<2x1x1x2xi8>} : () -> tensor<2x1x1x2x!tfmbs.ternary<"i8">>
// TERN:        telemetry = {layer = "stem", sparsity = 5.000000e-01 : f64, total = 4 : i64, zero_count = 2 : i64}
// TERN-SAME:   -> tensor<1x2x4x3xi32>
// TERN:        arith.constant dense<[6.350000e+01, 1.270000e+02]> : tensor<2xf32>
//
// SAME-LABEL:  func.func @conv
// SAME-NOT:    quantize
// SAME:        tfmbs.input_range
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#channel = affine_map<(d0, d1, d2, d3) -> (d1)>
func.func @conv(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x4x3xf32> {
  %w = arith.constant dense<[[[[127.0, 64.0]]], [[[-254.0, 0.0]]]]> : tensor<2x1x1x2xf32>
  %b = arith.constant dense<[1.5, -2.4]> : tensor<2xf32>
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: 0.0, 127.5>} : (tensor<1x1x4x4xf32>, tensor<2x1x1x2xf32>) -> tensor<1x2x4x3xf32> loc("stem")
  %e = tensor.empty() : tensor<1x2x4x3xf32>
  %1 = linalg.generic {indexing_maps = [#channel, #id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%b, %0 : tensor<2xf32>, tensor<1x2x4x3xf32>) outs(%e : tensor<1x2x4x3xf32>) {
  ^bb0(%in: f32, %acc: f32, %out: f32):
    %s = arith.addf %acc, %in : f32
    linalg.yield %s : f32
  } -> tensor<1x2x4x3xf32>
  return %1 : tensor<1x2x4x3xf32>
}

// -----

// Products of one tensor share its quantization. An addition that is not the only use is no bias.
// CHECK-LABEL: func.func @siblings
// CHECK:       %[[Q:.*]] = "tfmbs.quantize"
// CHECK-NOT:   "tfmbs.quantize"
// CHECK:       %[[A:.*]] = "tfmbs.matmul"(%[[Q]],
// CHECK:       "tfmbs.dequantize"(%[[A]],
// CHECK:       %[[B:.*]] = "tfmbs.matmul"(%[[Q]],
// CHECK:       "tfmbs.dequantize"(%[[B]],
// CHECK:       linalg.generic
// CHECK:         arith.addf
//
// A channel of zeros gets scale 0, and weights that are ternary stay what they are.
// TERN-LABEL:  func.func @siblings
// TERN:        value = dense<{{\[\[}}1, -1], [0, 0]]> : tensor<2x2xi8>
#id2 = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
func.func @siblings(%x: tensor<3x2xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>) {
  %w = arith.constant dense<[[0.1, -0.1], [0.0, 0.0]]> : tensor<2x2xf32>
  %v = arith.constant dense<[[1.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
  %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: -1.0, 1.0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %1 = "tfmbs.matmul"(%x, %v) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: -1.0, 1.0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %2 = linalg.generic {indexing_maps = [#id2, #row, #id2], iterator_types = ["parallel", "parallel"]} ins(%1, %c : tensor<3x2xf32>, tensor<2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%acc: f32, %in: f32, %out: f32):
    %s = arith.addf %acc, %in : f32
    linalg.yield %s : f32
  } -> tensor<3x2xf32>
  return %0, %1, %2 : tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>
}

// -----

// Without constant weights there is nothing to quantize; softmax and batch_matmul stay f32.
// CHECK-LABEL: func.func @not_constant
// CHECK-NOT:   quant
// CHECK:       "tfmbs.matmul"(%arg0, %arg1)
// CHECK:       "tfmbs.softmax"
// TERN-LABEL:  func.func @not_constant
// TERN-NOT:    ternary
func.func @not_constant(%x: tensor<3x2xf32>, %w: tensor<2x2xf32>) -> tensor<3x2xf32> {
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %1 = "tfmbs.softmax"(%0) {axis = 1 : i64} : (tensor<3x2xf32>) -> tensor<3x2xf32>
  return %1 : tensor<3x2xf32>
}

// -----

// A product's own precision and scales go before the option. Products of one tensor share its rounding to bf16.
// TERN-LABEL:  func.func @own
// CHECK-LABEL: func.func @own
// CHECK:       %[[F:.*]] = arith.constant dense<{{.*}}3.000000e+00, 5.000000e-01], [2.500000e-01, -1.000000e+00]]> : tensor<2x2xf32>
// CHECK:       "tfmbs.constant"() {value = dense<{{.*}}1, 0], [0, -1]]> : tensor<2x2xi8>} : () -> tensor<2x2x!tfmbs.ternary<"i8">>
// CHECK:       "tfmbs.constant"() {value = dense<{{.*}}3], [1], [1], [-2]]> : tensor<4x1xi8>} : () -> tensor<4x1x!quant.uniform<i8:f32, 1.000000e+00>>
// CHECK:       "tfmbs.group_matmul"
// CHECK:       arith.truncf {{.*}} f32 to bf16
// CHECK-NOT:   arith.truncf
// CHECK:       arith.constant dense<{{.*}}> : tensor<2x2xbf16>
// CHECK:       "tfmbs.matmul"(%arg0, %[[F]]) ({
// CHECK-NEXT:  operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<3x2xf32>, tensor<2x2xf32>)
func.func @own(%x: tensor<3x2xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>) {
  %w = arith.constant dense<[[1.0, 0.0], [0.0, -1.0]]> : tensor<2x2xf32>
  %v = arith.constant dense<[[3.0, 0.5], [0.25, -1.0]]> : tensor<2x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.precision = "ternary"} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %1 = "tfmbs.matmul"(%x, %v) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.weight_scales = dense<[[1.0, 0.5], [0.25, 0.5]]> : tensor<2x2xf32>, tfmbs.input_range = array<f32: -1.0, 1.0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %2 = "tfmbs.matmul"(%x, %v) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.precision = "bf16"} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %3 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.precision = "bf16"} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %4 = "tfmbs.matmul"(%x, %v) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.precision = "fp32"} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %0, %1, %2, %3, %4 : tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>
}
