// RUN: not tfmbs-opt %s --cse --convert-torch-onnx-to-torch --mlir-print-ir-after-failure 2>&1 | filecheck %s

// CHECK-NOT: IR Dump After cse
// CHECK: // -----// IR Dump After convert-torch-onnx-to-torch{{.*}} Failed //----- //
// CHECK-NEXT: func.func @f
// CHECK: error: {{.*}}print_ir_after_failure.mlir:8: function is missing onnx opset version attribute
// CHECK: note: in pass convert-torch-onnx-to-torch
func.func @f(%a: !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  %0 = torch.operator "onnx.Foo"(%a) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
  return %0 : !torch.vtensor<[2],f32>
}
