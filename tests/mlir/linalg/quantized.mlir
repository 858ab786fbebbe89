// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE

!x = !quant.uniform<i8:f32, 5.000000e-01:3>
!w = !quant.uniform<i8:f32:0, {0.5, 0.25}>

// Stored integers pass the function boundary; the zero point is subtracted before the product; constants are i8.
// CHECK-LABEL: func.func @product(%arg0: tensor<3x4xi8>) -> tensor<3x2xi32>
// CHECK:       arith.constant dense<{{.*}}> : tensor<2x4xi8>
// CHECK:       %[[A:.*]] = arith.extsi %{{.*}} : i8 to i32
// CHECK:       %[[Z:.*]] = arith.subi %[[A]]
// CHECK:       %[[B:.*]] = arith.extsi
// CHECK-NEXT:  arith.muli %[[Z]], %[[B]]
// CHECK-NEXT:  arith.addi
// PORTABLE-LABEL: func.func @product
// PORTABLE:       arith.subi
// PORTABLE:       linalg.matmul
// PORTABLE-SAME:  tensor<3x4xi32>, tensor<2x4xi8>
func.func @product(%x: tensor<3x4x!x>) -> tensor<3x2xi32> {
  %w = "tfmbs.constant"() {value = dense<[[1, 2, 3, 4], [5, 6, 7, 8]]> : tensor<2x4xi8>} : () -> tensor<2x4x!w>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<3x4x!x>, tensor<2x4x!w>) -> tensor<3x2xi32>
  return %0 : tensor<3x2xi32>
}

// -----

!x = !quant.uniform<i8:f32, 5.000000e-01:3>

// Reshapes move stored integers; the storage casts between quantized ops are gone.
// CHECK-LABEL: func.func @reshape
// CHECK:       arith.fptosi
// CHECK:       tensor.expand_shape {{.*}} : tensor<4xi8> into tensor<2x2xi8>
// CHECK:       arith.sitofp
// CHECK-NOT:   quant
func.func @reshape(%x: tensor<4xf32>) -> tensor<2x2xf32> {
  %0 = "tfmbs.quantize"(%x) : (tensor<4xf32>) -> tensor<4x!x>
  %1 = tensor.expand_shape %0 [[0, 1]] output_shape [2, 2] : tensor<4x!x> into tensor<2x2x!x>
  %2 = "tfmbs.dequantize"(%1) {axis = 0 : i64} : (tensor<2x2x!x>) -> tensor<2x2xf32>
  return %2 : tensor<2x2xf32>
}
