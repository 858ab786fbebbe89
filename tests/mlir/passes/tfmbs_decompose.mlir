// RUN: tfmbs-opt %s --split-input-file --tfmbs-decompose | filecheck %s

!q = !quant.uniform<i8:f32, 5.000000e-01:3>

// Every step is an op of its own; NaN becomes 0 before the conversion; telemetry rides along.
// CHECK-LABEL: func.func @quantize
// CHECK:       linalg.generic
// CHECK-SAME:  telemetry = {layer = "q"}
// CHECK:       arith.divf
// CHECK-NEXT:  math.roundeven
// CHECK:       arith.addf
// CHECK:       arith.maximumf
// CHECK:       arith.minimumf
// CHECK-NEXT:  arith.cmpf uno
// CHECK:       arith.select
// CHECK-NEXT:  arith.fptosi {{.*}} : f32 to i8
// CHECK:       quant.scast {{.*}} : tensor<4xi8> to tensor<4x!quant.uniform
func.func @quantize(%x: tensor<4xf32>) -> tensor<4x!q> {
  %0 = "tfmbs.quantize"(%x) {telemetry = {layer = "q"}} : (tensor<4xf32>) -> tensor<4x!q>
  return %0 : tensor<4x!q>
}

// -----

!q = !quant.uniform<i8:f32, 5.000000e-01:3>

// CHECK-LABEL: func.func @dequantize
// CHECK:       %[[STORED:.*]] = quant.scast
// CHECK:       ins(%[[STORED]] : tensor<4xi8>)
// CHECK:       arith.extsi
// CHECK:       arith.subi
// CHECK-NEXT:  arith.sitofp
// CHECK:       arith.mulf
func.func @dequantize(%x: tensor<4x!q>) -> tensor<4xf32> {
  %0 = "tfmbs.dequantize"(%x) {axis = 0 : i64} : (tensor<4x!q>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A per-channel type brings its scales as an operand that the channel indexes.
// CHECK-DAG:   #[[CHANNEL:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-LABEL: func.func @dequantize_channels
// CHECK:       arith.constant dense<[5.000000e-01, 2.500000e-01]> : tensor<2xf32>
// CHECK:       linalg.generic {indexing_maps = [{{.*}}, #[[CHANNEL]], {{.*}}]
func.func @dequantize_channels(%x: tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<2x3xf32> {
  %0 = "tfmbs.dequantize"(%x) {axis = 0 : i64} : (tensor<2x3x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// -----

!q = !quant.uniform<i8:f32, 5.000000e-01:3>

// `low` is the lower clamp: a fused ReLU.
// CHECK-LABEL: func.func @requantize
// CHECK:       arith.sitofp
// CHECK-NEXT:  arith.mulf
// CHECK-NEXT:  math.roundeven
// CHECK:       arith.addf
// CHECK:       %[[LOW:.*]] = arith.constant 3.000000e+00 : f32
// CHECK-NEXT:  arith.maximumf {{.*}}, %[[LOW]]
func.func @requantize(%acc: tensor<4x6xi32>, %s: tensor<1xf32>) -> tensor<4x6x!q> {
  %0 = "tfmbs.requantize"(%acc, %s) {axis = 0 : i64, low = 3 : i64} : (tensor<4x6xi32>, tensor<1xf32>) -> tensor<4x6x!q>
  return %0 : tensor<4x6x!q>
}

// -----

// CHECK-LABEL: func.func @softmax
// CHECK:       linalg.fill
// CHECK:       iterator_types = ["parallel", "reduction"]
// CHECK:       arith.maximumf
// CHECK:       arith.subf
// CHECK-NEXT:  math.exp
// CHECK:       iterator_types = ["parallel", "reduction"]
// CHECK:       arith.addf
// CHECK:       arith.divf
// CHECK-NOT:   tfmbs
func.func @softmax(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %0 = "tfmbs.softmax"(%x) {axis = 1 : i64} : (tensor<4x6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}

// -----

// The variance is the mean of squared differences, not a difference of means; differences are not stored between steps.
// CHECK-LABEL: func.func @layer_norm
// CHECK:       iterator_types = ["parallel", "reduction", "reduction"]
// CHECK:       iterator_types = ["parallel", "reduction", "reduction"]
// CHECK:       arith.divf
// CHECK-NEXT:  %[[D:.*]] = arith.subf
// CHECK-NEXT:  %[[Q:.*]] = arith.mulf %[[D]], %[[D]]
// CHECK-NEXT:  arith.addf %{{.*}}, %[[Q]]
// CHECK:       iterator_types = ["parallel", "parallel", "parallel"]
// CHECK:       arith.divf
// CHECK-NEXT:  %[[E:.*]] = arith.subf
// CHECK:       %[[R:.*]] = math.rsqrt
// CHECK-NEXT:  %[[N:.*]] = arith.mulf %[[E]], %[[R]]
// CHECK-NEXT:  arith.mulf %[[N]]
// CHECK-NEXT:  arith.addf
func.func @layer_norm(%x: tensor<4x6x2xf32>, %g: tensor<6x2xf32>) -> tensor<4x6x2xf32> {
  %0 = "tfmbs.layer_norm"(%x, %g, %g) {axis = 1 : i64, epsilon = 1.0e-5 : f32} : (tensor<4x6x2xf32>, tensor<6x2xf32>, tensor<6x2xf32>) -> tensor<4x6x2xf32>
  return %0 : tensor<4x6x2xf32>
}

// -----

// CHECK-LABEL: func.func @transfer
// CHECK:       linalg.generic
// CHECK-NOT:   tfmbs
func.func @transfer(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "tfmbs.transfer"(%x) {to = "l1"} : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A gather reads at computed places; dimensions that are not gathered are the loop's own.
// CHECK-DAG:   #[[FIRST:.*]] = affine_map<(d0, d1) -> (d0, 0)>
// CHECK-DAG:   #[[SECOND:.*]] = affine_map<(d0, d1) -> (d0, 1)>
// CHECK-LABEL: func.func @gather
// CHECK:       linalg.generic {indexing_maps = [#[[FIRST]], #[[SECOND]], #{{.*}}], iterator_types = ["parallel", "parallel"]} ins(%arg1, %arg1
// CHECK-NEXT:  ^bb0(%[[I:.*]]: i32, %[[J:.*]]: i32, %{{.*}}: f16):
// CHECK-DAG:   %[[A:.*]] = arith.index_cast %[[I]]
// CHECK-DAG:   %[[B:.*]] = linalg.index 1
// CHECK-DAG:   %[[C:.*]] = arith.index_cast %[[J]]
// CHECK:       tensor.extract %arg0[%[[A]], %[[B]], %[[C]]]
func.func @gather(%x: tensor<9x6x4xf16>, %k: tensor<3x2xi32>) -> tensor<3x6xf16> {
  %0 = tensor.gather %x[%k] gather_dims([0, 2]) : (tensor<9x6x4xf16>, tensor<3x2xi32>) -> tensor<3x6xf16>
  return %0 : tensor<3x6xf16>
}

// -----

// A scatter puts one slice after the other.
// CHECK-LABEL: func.func @scatter
// CHECK:       scf.for %[[N:.*]] = {{.*}} iter_args(%[[OUT:.*]] = %arg1)
// CHECK:       %[[PIECE:.*]] = tensor.extract_slice %arg0[%[[N]], 0, 0] [1, 1, 6] [1, 1, 1]
// CHECK:       %[[AT:.*]] = tensor.extract %arg2[%[[N]], %{{.*}}]
// CHECK:       tensor.insert_slice %[[PIECE]] into %[[OUT]][%[[AT]], 0] [1, 6] [1, 1]
func.func @scatter(%u: tensor<3x1x6xf32>, %x: tensor<9x6xf32>, %k: tensor<3x1xindex>) -> tensor<9x6xf32> {
  %0 = tensor.scatter %u into %x[%k] scatter_dims([0]) unique : (tensor<3x1x6xf32>, tensor<9x6xf32>, tensor<3x1xindex>) -> tensor<9x6xf32>
  return %0 : tensor<9x6xf32>
}

// -----

// Upstream's softmax has the same steps as ours.
// CHECK-LABEL: func.func @named_softmax
// CHECK-NOT:     linalg.softmax
// CHECK:         arith.maximumf
// CHECK:         arith.subf
// CHECK:         math.exp
// CHECK:         arith.addf
// CHECK:         arith.divf
func.func @named_softmax(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %e = tensor.empty() : tensor<2x8xf32>
  %0 = linalg.softmax dimension(1) ins(%x : tensor<2x8xf32>) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  return %0 : tensor<2x8xf32>
}
