// RUN: tfmbs-opt %s --split-input-file --convert-onnx-to-linalg | filecheck %s

// A product of what two DequantizeLinear give is one of integers: u8 is stored 128 lower, weights of 4 bits in pairs, the
// bias in units of the sums is added to them, and quantizing stays an op of its own.
// CHECK-LABEL: func.func @gemm
// CHECK:       %[[U8:.*]] = torch_c.to_builtin_tensor %arg0
// CHECK:       %[[I8:.*]] = linalg.generic {{.*}} ins(%[[U8]] : tensor<2x4xi8>)
// CHECK:         arith.xori
// CHECK:       %[[A:.*]] = quant.scast %[[I8]] : tensor<2x4xi8> to tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01:-118>>
// CHECK:       %[[W:.*]] = "tfmbs.constant"() {{.*}} -> tensor<3x4x!quant.uniform<i4:f32, 1.000000e+00>>
// CHECK:       %[[P:.*]] = "tfmbs.matmul"(%[[A]], %[[W]])
// CHECK:       tensor<2x3xi32>
// CHECK:       arith.constant dense<[5, -6, 7]> : tensor<3xi32>
// CHECK:         arith.addi
// CHECK:       %[[S:.*]] = arith.constant dense<[1.250000e-01, 2.500000e-01, 5.000000e-01]> : tensor<3xf32>
// CHECK:       %[[R:.*]] = "tfmbs.dequantize"(%{{.*}}, %[[S]]) {axis = 1 : i64}
// CHECK:       "tfmbs.quantize"(%[[R]]) : (tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<i8:f32, 2.000000e+00:3>>
// CHECK-NOT:   DequantizeLinear
func.func @gemm(%x: !torch.vtensor<[2,4],ui8>) -> !torch.vtensor<[2,3],si8> {
  %xs = torch.operator "onnx.Constant"() {torch.onnx.value = dense<0.5> : tensor<f32>} : () -> !torch.vtensor<[],f32>
  %xz = torch.operator "onnx.Constant"() {torch.onnx.value = dense<10> : tensor<ui8>} : () -> !torch.vtensor<[],ui8>
  %w = torch.operator "onnx.Constant"() {torch.onnx.value = dense<[[1, 2, 3, 4], [-1, -2, -3, -4], [7, 0, 0, -7]]> : tensor<3x4xsi8>} : () -> !torch.vtensor<[3,4],si8>
  %ws = torch.operator "onnx.Constant"() {torch.onnx.value = dense<[0.25, 0.5, 1.0]> : tensor<3xf32>} : () -> !torch.vtensor<[3],f32>
  %b = torch.operator "onnx.Constant"() {torch.onnx.value = dense<[5, -6, 7]> : tensor<3xsi32>} : () -> !torch.vtensor<[3],si32>
  %bs = torch.operator "onnx.Constant"() {torch.onnx.value = dense<[0.125, 0.25, 0.5]> : tensor<3xf32>} : () -> !torch.vtensor<[3],f32>
  %ys = torch.operator "onnx.Constant"() {torch.onnx.value = dense<2.0> : tensor<f32>} : () -> !torch.vtensor<[],f32>
  %yz = torch.operator "onnx.Constant"() {torch.onnx.value = dense<3> : tensor<si8>} : () -> !torch.vtensor<[],si8>
  %0 = torch.operator "onnx.DequantizeLinear"(%x, %xs, %xz) : (!torch.vtensor<[2,4],ui8>, !torch.vtensor<[],f32>, !torch.vtensor<[],ui8>) -> !torch.vtensor<[2,4],f32>
  %1 = torch.operator "onnx.DequantizeLinear"(%w, %ws) {torch.onnx.axis = 0 : si64} : (!torch.vtensor<[3,4],si8>, !torch.vtensor<[3],f32>) -> !torch.vtensor<[3,4],f32>
  %2 = torch.operator "onnx.DequantizeLinear"(%b, %bs) {torch.onnx.axis = 0 : si64} : (!torch.vtensor<[3],si32>, !torch.vtensor<[3],f32>) -> !torch.vtensor<[3],f32>
  %3 = torch.operator "onnx.Gemm"(%0, %1, %2) {torch.onnx.transB = 1 : si64} : (!torch.vtensor<[2,4],f32>, !torch.vtensor<[3,4],f32>, !torch.vtensor<[3],f32>) -> !torch.vtensor<[2,3],f32>
  %4 = torch.operator "onnx.QuantizeLinear"(%3, %ys, %yz) : (!torch.vtensor<[2,3],f32>, !torch.vtensor<[],f32>, !torch.vtensor<[],si8>) -> !torch.vtensor<[2,3],si8>
  return %4 : !torch.vtensor<[2,3],si8>
}

// -----

// Float activations: the weights are a literal of floats, for torch-mlir and tfmbs-detect-grids.
// CHECK-LABEL: func.func @weights_alone
// CHECK:       %[[W:.*]] = torch.vtensor.literal(dense<{{\[\[}}5.000000e-01, -1.000000e+00]]> : tensor<1x2xf32>)
// CHECK:       torch.operator "onnx.Gemm"(%arg0, %[[W]])
func.func @weights_alone(%x: !torch.vtensor<[2,2],f32>) -> !torch.vtensor<[2,1],f32> {
  %w = torch.operator "onnx.Constant"() {torch.onnx.value = dense<[[1, -2]]> : tensor<1x2xsi8>} : () -> !torch.vtensor<[1,2],si8>
  %ws = torch.operator "onnx.Constant"() {torch.onnx.value = dense<0.5> : tensor<f32>} : () -> !torch.vtensor<[],f32>
  %1 = torch.operator "onnx.DequantizeLinear"(%w, %ws) : (!torch.vtensor<[1,2],si8>, !torch.vtensor<[],f32>) -> !torch.vtensor<[1,2],f32>
  %3 = torch.operator "onnx.Gemm"(%x, %1) {torch.onnx.transB = 1 : si64} : (!torch.vtensor<[2,2],f32>, !torch.vtensor<[1,2],f32>) -> !torch.vtensor<[2,1],f32>
  return %3 : !torch.vtensor<[2,1],f32>
}
