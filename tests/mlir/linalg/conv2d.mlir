// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE
// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg=numerics=portable | torch-mlir-opt --split-input-file | filecheck %s --check-prefixes PORTABLE

// Without padding nothing is selected.
// CHECK-LABEL: func.func @valid
// CHECK:       math.fma
// CHECK-NEXT:  linalg.yield
// PORTABLE-LABEL: func.func @valid
// PORTABLE:       linalg.conv_2d_nchw_fchw
// PORTABLE-SAME:  telemetry = {layer = "conv"}
func.func @valid(%x: tensor<1x2x6x6xf32>, %w: tensor<4x2x3x3xf32>) -> tensor<1x4x4x4xf32> {
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, strides = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, telemetry = {layer = "conv"}} : (tensor<1x2x6x6xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x4x4xf32>
  return %0 : tensor<1x4x4x4xf32>
}

// -----

// A padded tap leaves the accumulator as it is.
// CHECK-LABEL: func.func @padded
// CHECK:       tensor.insert_slice %arg0 into %{{.*}}[0, 0, 1, 2] [1, 2, 6, 6] [1, 1, 1, 1] : tensor<1x2x6x6xf32> into tensor<1x2x7x8xf32>
// CHECK:       ^bb0(%{{.*}}: f32, %{{.*}}: f32, %[[ACC:.*]]: f32):
// CHECK:       %[[NEXT:.*]] = math.fma
// CHECK:       linalg.index
// CHECK:       %[[INSIDE:.*]] = arith.andi
// CHECK-NEXT:  arith.select %[[INSIDE]], %[[NEXT]], %[[ACC]] : f32
// PORTABLE-LABEL: func.func @padded
// PORTABLE:       tensor.pad
// PORTABLE:       linalg.conv_2d_nchw_fchw
func.func @padded(%x: tensor<1x2x6x6xf32>, %w: tensor<4x2x3x3xf32>) -> tensor<1x4x5x6xf32> {
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, strides = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 1, 2, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x6x6xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x5x6xf32>
  return %0 : tensor<1x4x5x6xf32>
}

// -----

// CHECK-DAG:   #[[IN:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, (d1 floordiv 3) * 2 + d2, d3 + d5, d4 + d6)>
// CHECK-LABEL: func.func @grouped
// CHECK:       indexing_maps = [#[[IN]],
// PORTABLE-LABEL: func.func @grouped
// PORTABLE:       tensor.expand_shape
// PORTABLE:       linalg.conv_2d_ngchw_gfchw
// PORTABLE:       tensor.collapse_shape
func.func @grouped(%x: tensor<1x4x6x6xf32>, %w: tensor<6x2x3x3xf32>) -> tensor<1x6x4x4xf32> {
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, strides = array<i64: 1, 1>, groups = 2 : i64, pads = array<i64: 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x4x6x6xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x4x4xf32>
  return %0 : tensor<1x6x4x4xf32>
}

// -----

// Integers are padded with the zero point, so a padded tap adds 0.
// CHECK-LABEL: func.func @integers
// CHECK:       arith.constant -5 : i8
// CHECK-NEXT:  tensor.empty
// CHECK-NEXT:  linalg.fill
// CHECK:       arith.muli
// CHECK-NEXT:  arith.addi
// CHECK-NEXT:  linalg.yield
func.func @integers(%x: tensor<1x2x6x6x!quant.uniform<i8:f32, 0.5:-5>>, %w: tensor<4x2x3x3x!quant.uniform<i8:f32, 0.25>>) -> tensor<1x4x6x6xi32> {
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, strides = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 1, 1, 1, 1>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x6x6x!quant.uniform<i8:f32, 0.5:-5>>, tensor<4x2x3x3x!quant.uniform<i8:f32, 0.25>>) -> tensor<1x4x6x6xi32>
  return %0 : tensor<1x4x6x6xi32>
}
