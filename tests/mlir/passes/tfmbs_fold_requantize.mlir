// RUN: tfmbs-opt %s --split-input-file --tfmbs-fold-requantize | filecheck %s

// ReLU as torch-mlir writes it, pooling, flattening: all of it happens on integers behind one requantize.
// CHECK-LABEL: func.func @relu_pool_flatten
// CHECK-SAME:    %[[ACC:.*]]: tensor<1x2x4x4xi32>
// CHECK:       %[[M:.*]] = arith.constant dense<[5.000000e-01, 2.500000e-01]> : tensor<2xf32>
// CHECK:       %[[Q:.*]] = "tfmbs.requantize"(%[[ACC]], %[[M]]) {axis = 1 : i64, low = 7 : i64} : (tensor<1x2x4x4xi32>, tensor<2xf32>) -> tensor<1x2x4x4x!quant.uniform<i8:f32, 2.000000e+00:7>>
// CHECK:       %[[P:.*]] = "tfmbs.pool"(%[[Q]]) {{.*}} -> tensor<1x2x2x2x!quant.uniform<i8:f32, 2.000000e+00:7>>
// CHECK:       %[[C:.*]] = tensor.collapse_shape %[[P]] {{\[\[}}0], [1, 2, 3]] : tensor<1x2x2x2x!quant.uniform<i8:f32, 2.000000e+00:7>> into tensor<1x8x!quant.uniform<i8:f32, 2.000000e+00:7>>
// CHECK-NOT:   f32>
// CHECK:       return %[[C]]
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
func.func @relu_pool_flatten(%acc: tensor<1x2x4x4xi32>) -> tensor<1x8x!quant.uniform<i8:f32, 2.0:7>> {
  %scale = arith.constant dense<[1.0, 0.5]> : tensor<2xf32>
  %zero = arith.constant 0.0 : f32
  %0 = "tfmbs.dequantize"(%acc, %scale) {axis = 1 : i64} : (tensor<1x2x4x4xi32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  %e = tensor.empty() : tensor<1x2x4x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%0 : tensor<1x2x4x4xf32>) outs(%e : tensor<1x2x4x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %c = arith.cmpf ugt, %in, %zero : f32
    %r = arith.select %c, %in, %zero : f32
    linalg.yield %r : f32
  } -> tensor<1x2x4x4xf32>
  %2 = "tfmbs.pool"(%1) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "max", pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  %3 = tensor.collapse_shape %2 [[0], [1, 2, 3]] : tensor<1x2x2x2xf32> into tensor<1x8xf32>
  %4 = "tfmbs.quantize"(%3) : (tensor<1x8xf32>) -> tensor<1x8x!quant.uniform<i8:f32, 2.0:7>>
  return %4 : tensor<1x8x!quant.uniform<i8:f32, 2.0:7>>
}

// -----

// Without a ReLU the clamp is the type's; transposition and expansion keep order too.
// CHECK-LABEL: func.func @transpose_expand
// CHECK:       "tfmbs.requantize"(%arg0, %{{.*}}) {axis = 1 : i64, low = -128 : i64}
// CHECK:       quant.scast {{.*}} : tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01>> to tensor<2x4xi8>
// CHECK:       linalg.transpose ins(%{{.*}} : tensor<2x4xi8>) outs(%{{.*}} : tensor<4x2xi8>) permutation = [1, 0]
// CHECK-NEXT:  quant.scast {{.*}} : tensor<4x2xi8> to tensor<4x2x!quant.uniform<i8:f32, 5.000000e-01>>
// CHECK:       tensor.expand_shape %{{.*}} {{\[\[}}0], [1, 2]] output_shape [4, 1, 2] : tensor<4x2x!quant.uniform<i8:f32, 5.000000e-01>>
// CHECK-NOT:   "tfmbs.quantize"
func.func @transpose_expand(%acc: tensor<2x4xi32>) -> tensor<4x1x2x!quant.uniform<i8:f32, 0.5>> {
  %scale = arith.constant dense<0.25> : tensor<1xf32>
  %0 = "tfmbs.dequantize"(%acc, %scale) {axis = 1 : i64} : (tensor<2x4xi32>, tensor<1xf32>) -> tensor<2x4xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %1 = linalg.transpose ins(%0 : tensor<2x4xf32>) outs(%e : tensor<4x2xf32>) permutation = [1, 0]
  %2 = tensor.expand_shape %1 [[0], [1, 2]] output_shape [4, 1, 2] : tensor<4x2xf32> into tensor<4x1x2xf32>
  %3 = "tfmbs.quantize"(%2) : (tensor<4x1x2xf32>) -> tensor<4x1x2x!quant.uniform<i8:f32, 0.5>>
  return %3 : tensor<4x1x2x!quant.uniform<i8:f32, 0.5>>
}

// -----

// An average is not the same on integers, and a second use needs the real values.
// CHECK-LABEL: func.func @average
// CHECK:       "tfmbs.dequantize"
// CHECK:       "tfmbs.pool"{{.*}} -> tensor<1x2x2x2xf32>
// CHECK:       "tfmbs.quantize"
// CHECK-NOT:   "tfmbs.requantize"
func.func @average(%acc: tensor<1x2x4x4xi32>) -> tensor<1x2x2x2x!quant.uniform<i8:f32, 2.0:7>> {
  %scale = arith.constant dense<[1.0, 0.5]> : tensor<2xf32>
  %0 = "tfmbs.dequantize"(%acc, %scale) {axis = 1 : i64} : (tensor<1x2x4x4xi32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  %1 = "tfmbs.pool"(%0) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "avg", pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  %2 = "tfmbs.quantize"(%1) : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2x!quant.uniform<i8:f32, 2.0:7>>
  return %2 : tensor<1x2x2x2x!quant.uniform<i8:f32, 2.0:7>>
}

// -----

// CHECK-LABEL: func.func @second_use
// CHECK:       %[[F:.*]] = "tfmbs.dequantize"
// CHECK:       "tfmbs.quantize"(%[[F]])
// CHECK-NOT:   "tfmbs.requantize"
func.func @second_use(%acc: tensor<2x4xi32>) -> (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4xf32>) {
  %scale = arith.constant dense<0.25> : tensor<1xf32>
  %0 = "tfmbs.dequantize"(%acc, %scale) {axis = 1 : i64} : (tensor<2x4xi32>, tensor<1xf32>) -> tensor<2x4xf32>
  %1 = "tfmbs.quantize"(%0) : (tensor<2x4xf32>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return %1, %0 : tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4xf32>
}

// -----

// max(x, 1) is no ReLU: 1 is not the zero point.
// CHECK-LABEL: func.func @other_bound
// CHECK:       "tfmbs.dequantize"
// CHECK:       arith.maximumf
// CHECK:       "tfmbs.quantize"
#id1 = affine_map<(d0) -> (d0)>
func.func @other_bound(%acc: tensor<4xi32>) -> tensor<4x!quant.uniform<i8:f32, 0.5>> {
  %scale = arith.constant dense<0.25> : tensor<1xf32>
  %one = arith.constant 1.0 : f32
  %0 = "tfmbs.dequantize"(%acc, %scale) {axis = 0 : i64} : (tensor<4xi32>, tensor<1xf32>) -> tensor<4xf32>
  %e = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#id1, #id1], iterator_types = ["parallel"]} ins(%0 : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %r = arith.maximumf %in, %one : f32
    linalg.yield %r : f32
  } -> tensor<4xf32>
  %2 = "tfmbs.quantize"(%1) : (tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 0.5>>
  return %2 : tensor<4x!quant.uniform<i8:f32, 0.5>>
}

// -----

// An f32 product has nothing to requantize.
// CHECK-LABEL: func.func @from_f32
// CHECK:       "tfmbs.quantize"(%arg0)
func.func @from_f32(%x: tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 0.5>> {
  %0 = "tfmbs.quantize"(%x) : (tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 0.5>>
  return %0 : tensor<4x!quant.uniform<i8:f32, 0.5>>
}

// -----

// Quantized to the type that they were dequantized from, integers stay what they are.
// CHECK-LABEL: func.func @same_type
// CHECK-SAME:  %[[Q:.*]]: tensor<1x2x4x4x!quant.uniform
// CHECK:       %[[P:.*]] = "tfmbs.pool"(%[[Q]])
// CHECK-NEXT:  return %[[P]]
func.func @same_type(%q: tensor<1x2x4x4x!quant.uniform<i8:f32, 2.0:7>>) -> tensor<1x2x2x2x!quant.uniform<i8:f32, 2.0:7>> {
  %0 = "tfmbs.dequantize"(%q) {axis = 0 : i64} : (tensor<1x2x4x4x!quant.uniform<i8:f32, 2.0:7>>) -> tensor<1x2x4x4xf32>
  %1 = "tfmbs.pool"(%0) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "max", pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  %2 = "tfmbs.quantize"(%1) : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2x!quant.uniform<i8:f32, 2.0:7>>
  return %2 : tensor<1x2x2x2x!quant.uniform<i8:f32, 2.0:7>>
}

// -----

// Another scale is another integer.
// CHECK-LABEL: func.func @other_type
// CHECK:       "tfmbs.dequantize"
// CHECK:       "tfmbs.quantize"
func.func @other_type(%q: tensor<4x!quant.uniform<i8:f32, 2.0:7>>) -> tensor<4x!quant.uniform<i8:f32, 4.0:7>> {
  %0 = "tfmbs.dequantize"(%q) {axis = 0 : i64} : (tensor<4x!quant.uniform<i8:f32, 2.0:7>>) -> tensor<4xf32>
  %1 = "tfmbs.quantize"(%0) : (tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 4.0:7>>
  return %1 : tensor<4x!quant.uniform<i8:f32, 4.0:7>>
}
