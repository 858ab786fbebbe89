// RUN: tfmbs-opt %s --split-input-file --convert-onnx-to-linalg | filecheck %s

// Two nodes in a row pass builtin tensors on; ops that the pass does not take stay, and so do lists.
// CHECK-LABEL: func.func @chain
// CHECK:       %[[X:.*]] = torch_c.to_builtin_tensor %arg0
// CHECK:       linalg.generic
// CHECK-NOT:   torch_c.to_builtin_tensor
// CHECK:       linalg.generic
// CHECK:       %[[Y:.*]] = torch_c.from_builtin_tensor %{{.*}} : tensor<1x16x1x1xi8>
// CHECK:       torch.operator "onnx.Abs"(%[[Y]])
func.func @chain(%x: !torch.vtensor<[1,1,4,4],si8>) -> !torch.vtensor<[1,16,1,1],si8> {
  %0 = torch.operator "onnx.SpaceToDepth"(%x) {torch.onnx.blocksize = 2 : si64} : (!torch.vtensor<[1,1,4,4],si8>) -> !torch.vtensor<[1,4,2,2],si8>
  %1 = torch.operator "onnx.SpaceToDepth"(%0) {torch.onnx.blocksize = 2 : si64, torch.onnx.mode = "CRD"} : (!torch.vtensor<[1,4,2,2],si8>) -> !torch.vtensor<[1,16,1,1],si8>
  %2 = torch.operator "onnx.Abs"(%1) : (!torch.vtensor<[1,16,1,1],si8>) -> !torch.vtensor<[1,16,1,1],si8>
  return %2 : !torch.vtensor<[1,16,1,1],si8>
}

// -----

// A constant becomes a builtin one, and is gone where nobody else uses it.
// CHECK-LABEL: func.func @constant
// CHECK-NOT:   torch.operator
// CHECK:       arith.constant dense<{{.*}}> : tensor<2x2xf64>
// CHECK:       torch_c.from_builtin_tensor %{{.*}} : tensor<f64> -> !torch.vtensor<[],f64>
func.func @constant() -> !torch.vtensor<[],f64> {
  %0 = torch.operator "onnx.Constant"() {torch.onnx.value = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf64>} : () -> !torch.vtensor<[2,2],f64>
  %1 = torch.operator "onnx.Det"(%0) : (!torch.vtensor<[2,2],f64>) -> !torch.vtensor<[],f64>
  return %1 : !torch.vtensor<[],f64>
}

// -----

// Unknown sizes are left to torch-mlir.
// CHECK-LABEL: func.func @dynamic
// CHECK:       torch.operator "onnx.SpaceToDepth"
func.func @dynamic(%x: !torch.vtensor<[?,1,4,4],f32>) -> !torch.vtensor<[?,4,2,2],f32> {
  %0 = torch.operator "onnx.SpaceToDepth"(%x) {torch.onnx.blocksize = 2 : si64} : (!torch.vtensor<[?,1,4,4],f32>) -> !torch.vtensor<[?,4,2,2],f32>
  return %0 : !torch.vtensor<[?,4,2,2],f32>
}
