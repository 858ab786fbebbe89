// RUN: tfmbs-opt %s --split-input-file --convert-onnx-to-linalg | filecheck %s

// Axes of run time follow from the declared shape; a sum is the fabric's own.
// CHECK-LABEL: func.func @reduce
// CHECK:       linalg.generic
// CHECK-SAME:  iterator_types = ["parallel", "reduction"]
// CHECK:       arith.addf
func.func @reduce(%x: !torch.vtensor<[2,3],f32>, %axes: !torch.vtensor<[1],si64>) -> !torch.vtensor<[2,1],f32> {
  %0 = torch.operator "onnx.ReduceSum"(%x, %axes) : (!torch.vtensor<[2,3],f32>, !torch.vtensor<[1],si64>) -> !torch.vtensor<[2,1],f32>
  return %0 : !torch.vtensor<[2,1],f32>
}

// -----

// The sign of an integer is that of its value tensor.
// CHECK-LABEL: func.func @unsigned
// CHECK:       arith.maxui
func.func @unsigned(%x: !torch.vtensor<[2,3],ui8>) -> !torch.vtensor<[1,1],ui8> {
  %0 = torch.operator "onnx.ReduceMax"(%x) : (!torch.vtensor<[2,3],ui8>) -> !torch.vtensor<[1,1],ui8>
  return %0 : !torch.vtensor<[1,1],ui8>
}

// -----

// A slice by constants, with steps ahead, stays with torch-mlir; one that turns around does not.
// CHECK-LABEL: func.func @slices
// CHECK:       torch.operator "onnx.Slice"
// CHECK:       tensor.extract
// CHECK-NOT:   torch.operator "onnx.Slice"
func.func @slices(%x: !torch.vtensor<[4],f32>) -> (!torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>) {
  %0 = torch.operator "onnx.Constant"() {torch.onnx.value = dense<1> : tensor<1xsi64>} : () -> !torch.vtensor<[1],si64>
  %1 = torch.operator "onnx.Constant"() {torch.onnx.value = dense<3> : tensor<1xsi64>} : () -> !torch.vtensor<[1],si64>
  %2 = torch.operator "onnx.Constant"() {torch.onnx.value = dense<0> : tensor<1xsi64>} : () -> !torch.vtensor<[1],si64>
  %3 = torch.operator "onnx.Constant"() {torch.onnx.value = dense<-1> : tensor<1xsi64>} : () -> !torch.vtensor<[1],si64>
  %4 = torch.operator "onnx.Slice"(%x, %0, %1) : (!torch.vtensor<[4],f32>, !torch.vtensor<[1],si64>, !torch.vtensor<[1],si64>) -> !torch.vtensor<[2],f32>
  %5 = torch.operator "onnx.Slice"(%x, %1, %0, %2, %3) : (!torch.vtensor<[4],f32>, !torch.vtensor<[1],si64>, !torch.vtensor<[1],si64>, !torch.vtensor<[1],si64>, !torch.vtensor<[1],si64>) -> !torch.vtensor<[2],f32>
  return %4, %5 : !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>
}
