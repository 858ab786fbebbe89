// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE
// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg=numerics=portable | torch-mlir-opt --split-input-file | filecheck %s --check-prefixes PORTABLE

// k runs over channel, kernel plane, row, column; without padding nothing is selected.
// CHECK:       affine_map<(d0, d1, d2, d3, d4, d5, d6, d7, d8) -> (d0, d2, d3 + d6, d4 + d7, d5 + d8)>
// CHECK-LABEL: func.func @valid
// CHECK:       iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction", "reduction", "parallel", "parallel", "parallel"]
// CHECK:       math.fma
// CHECK-NEXT:  linalg.yield
// PORTABLE-LABEL: func.func @valid
// PORTABLE:       linalg.conv_3d_ncdhw_fcdhw
// PORTABLE-SAME:  telemetry = {layer = "conv"}
func.func @valid(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32> {
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 1, 1, 1>, strides = array<i64: 1, 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, telemetry = {layer = "conv"}} : (tensor<1x2x4x5x6xf32>, tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32>
  return %0 : tensor<1x4x2x3x4xf32>
}

// -----

// A padded tap, in front of the first plane too, leaves the accumulator as it is.
// CHECK-LABEL: func.func @padded
// CHECK:       tensor.insert_slice %arg0 into %{{.*}}[0, 0, 1, 0, 2] [1, 2, 4, 5, 6] [1, 1, 1, 1, 1] : tensor<1x2x4x5x6xf32> into tensor<1x2x5x5x9xf32>
// CHECK:       ^bb0(%{{.*}}: f32, %{{.*}}: f32, %[[ACC:.*]]: f32):
// CHECK:       %[[NEXT:.*]] = math.fma
// CHECK-COUNT-3: arith.cmpi ult
// CHECK:       arith.select %{{.*}}, %[[NEXT]], %[[ACC]] : f32
// PORTABLE-LABEL: func.func @padded
// PORTABLE:       tensor.pad
// PORTABLE:       linalg.conv_3d_ncdhw_fcdhw
func.func @padded(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x2x3x3x3xf32>) -> tensor<1x4x3x3x7xf32> {
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 1, 1, 1>, strides = array<i64: 1, 1, 1>, groups = 1 : i64, pads = array<i64: 1, 0, 2, 0, 0, 1>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x2x3x3x3xf32>) -> tensor<1x4x3x3x7xf32>
  return %0 : tensor<1x4x3x3x7xf32>
}

// -----

// Each group reads its own channels; upstream has no grouped form, so portable IR has a convolution per group.
// CHECK-LABEL: func.func @grouped
// CHECK:       math.fma
// PORTABLE-LABEL: func.func @grouped
// PORTABLE-COUNT-2: linalg.conv_3d_ncdhw_fcdhw
// PORTABLE-NOT:     linalg.conv_3d_ncdhw_fcdhw
func.func @grouped(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x1x3x3x3xf32>) -> tensor<1x4x2x3x4xf32> {
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 1, 1, 1>, strides = array<i64: 1, 1, 1>, groups = 2 : i64, pads = array<i64: 0, 0, 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x1x3x3x3xf32>) -> tensor<1x4x2x3x4xf32>
  return %0 : tensor<1x4x2x3x4xf32>
}
