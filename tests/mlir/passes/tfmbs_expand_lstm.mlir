// RUN: tfmbs-opt %s --split-input-file --tfmbs-expand-lstm | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-expand-lstm=target=kpu-16x16 | filecheck %s --check-prefixes KEPT
// RUN: tfmbs-opt %s --split-input-file --tfmbs-expand-lstm=precision=int8 | filecheck %s --check-prefixes QUANTIZED
// RUN: tfmbs-opt %s --split-input-file --tfmbs-expand-lstm=precision=fp32 | filecheck %s --check-prefixes FP32

// Both directions, each with one product of all inputs; the second walks backwards.
// CHECK-LABEL:     func.func @short
// CHECK:           (tensor<4x5xf32>, tensor<12x5xf32>) -> tensor<4x12xf32>
// CHECK:           (tensor<2x3xf32>, tensor<12x3xf32>) -> tensor<2x12xf32>
// CHECK:           tensor.insert_slice %{{.*}} into %{{.*}}[0, 0, 0, 0] [1, 1, 2, 3]
// CHECK:           tensor.insert_slice %{{.*}} into %{{.*}}[1, 0, 0, 0] [1, 1, 2, 3]
// CHECK:           tensor.insert_slice %{{.*}} into %{{.*}}[2, 0, 0, 0] [1, 1, 2, 3]
// CHECK:           (tensor<4x5xf32>, tensor<12x5xf32>) -> tensor<4x12xf32>
// CHECK:           tensor.insert_slice %{{.*}} into %{{.*}}[1, 1, 0, 0] [1, 1, 2, 3]
// CHECK:           tensor.insert_slice %{{.*}} into %{{.*}}[0, 1, 0, 0] [1, 1, 2, 3]
// CHECK:           tensor.insert_slice %{{.*}} into %{{.*}}[2, 1, 0, 0] [1, 1, 2, 3]
// KEPT-LABEL:      func.func @short
// KEPT:            "tfmbs.lstm"
// QUANTIZED-LABEL: func.func @short
// QUANTIZED-NOT:   tfmbs.lstm
// FP32-LABEL:      func.func @short
// FP32:            "tfmbs.lstm"
func.func @short(%x: tensor<2x2x5xf32>, %w: tensor<2x12x5xf32>, %r: tensor<2x12x3xf32>) -> tensor<3x2x2x3xf32> {
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "both", gates = "iofc", roles = [], keep_cell = true} : (tensor<2x2x5xf32>, tensor<2x12x5xf32>, tensor<2x12x3xf32>) -> tensor<3x2x2x3xf32>
  return %0 : tensor<3x2x2x3xf32>
}

// -----

// A long one is a loop, in which there is nothing to quantize.
// CHECK-LABEL:     func.func @long
// CHECK:           scf.for %[[T:.*]] = %{{.*}} to %{{.*}} step
// CHECK:             %[[PLACE:.*]] = arith.subi %{{.*}}, %[[T]]
// CHECK:             tensor.extract_slice %{{.*}}[%[[PLACE]], 0, 0] [1, 2, 12]
// CHECK:             "tfmbs.matmul"
// CHECK:             tensor.insert_slice %{{.*}}[%[[PLACE]], 0, 0, 0] [1, 1, 2, 3]
// KEPT-LABEL:      func.func @long
// KEPT:            "tfmbs.lstm"
// QUANTIZED-LABEL: func.func @long
// QUANTIZED:       "tfmbs.lstm"
// FP32-LABEL:      func.func @long
func.func @long(%x: tensor<40x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>) -> tensor<40x1x2x3xf32> {
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "reverse", gates = "iofc", roles = [], keep_cell = false} : (tensor<40x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>) -> tensor<40x1x2x3xf32>
  return %0 : tensor<40x1x2x3xf32>
}

// -----

// Structured code launches nothing, whatever the target has.
// CHECK-LABEL:     func.func @nested
// KEPT-LABEL:      func.func @nested
// KEPT-NOT:        tfmbs.lstm
// QUANTIZED-LABEL: func.func @nested
// FP32-LABEL:      func.func @nested
func.func @nested(%c: i1, %x: tensor<2x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>, %y: tensor<2x1x2x3xf32>) -> tensor<2x1x2x3xf32> {
  %0 = scf.if %c -> (tensor<2x1x2x3xf32>) {
    %1 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = [], keep_cell = false} : (tensor<2x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>) -> tensor<2x1x2x3xf32>
    scf.yield %1 : tensor<2x1x2x3xf32>
  } else {
    scf.yield %y : tensor<2x1x2x3xf32>
  }
  return %0 : tensor<2x1x2x3xf32>
}
