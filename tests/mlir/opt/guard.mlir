// torch-mlir aborts the process on this input: that is an error which names the op and the pass, and the reproducer is written.
// RUN: not tfmbs-opt %s --cse --convert-torch-onnx-to-torch --mlir-pass-pipeline-crash-reproducer=%t.mlir 2>&1 | filecheck %s
// RUN: filecheck %s --check-prefix=FILE < %t.mlir
// RUN: tfmbs-opt %s --convert-torch-onnx-to-torch --verify-diagnostics

// CHECK: error: {{.*}}guard.mlir:13: pass convert-torch-onnx-to-torch crashed with SIGABRT
// CHECK: LLVM ERROR: Unhandled type in getScalarTypeForType: ui4
// CHECK: note: reproducer generated at
// FILE: pipeline: "builtin.module(cse,func.func(convert-torch-onnx-to-torch{{.*}}))"
func.func @main(%x: !torch.vtensor<[2],f32>, %scale: !torch.vtensor<[],f32>, %zero: !torch.vtensor<[],ui4>)
    -> !torch.vtensor<[2],ui4> attributes {torch.onnx_meta.opset_version = 21 : si64} {
  // expected-error@+1 {{crashed with SIGABRT}}
  %0 = torch.operator "onnx.QuantizeLinear"(%x, %scale, %zero)
      : (!torch.vtensor<[2],f32>, !torch.vtensor<[],f32>, !torch.vtensor<[],ui4>) -> !torch.vtensor<[2],ui4>
  return %0 : !torch.vtensor<[2],ui4>
}
