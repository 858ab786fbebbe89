// RUN: tfmbs-opt %s --split-input-file --widen-products | filecheck %s

// A literal stays one, so that it can become weights; the bias is widened with the rest.
// CHECK-LABEL: func.func @linear
// CHECK-DAG:   %[[W:.*]] = torch.vtensor.literal({{.*}} : tensor<2x3xf32>) : !torch.vtensor<[2,3],f32>
// CHECK-DAG:   arith.extf %{{.*}} : bf16 to f32
// CHECK:       %[[P:.*]] = torch.aten.linear %{{.*}}, %[[W]], %{{.*}} : !torch.vtensor<[4,3],f32>, !torch.vtensor<[2,3],f32>, !torch.vtensor<[2],f32> -> !torch.vtensor<[4,2],f32>
// CHECK:       arith.truncf %{{.*}} : f32 to bf16
func.func @linear(%x: !torch.vtensor<[4,3],bf16>, %b: !torch.vtensor<[2],bf16>) -> !torch.vtensor<[4,2],bf16> {
  %w = torch.vtensor.literal(dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xbf16>) : !torch.vtensor<[2,3],bf16>
  %0 = torch.aten.linear %x, %w, %b : !torch.vtensor<[4,3],bf16>, !torch.vtensor<[2,3],bf16>, !torch.vtensor<[2],bf16> -> !torch.vtensor<[4,2],bf16>
  return %0 : !torch.vtensor<[4,2],bf16>
}

// -----

// Other element types, and other operators, are left alone.
// CHECK-LABEL: func.func @others
// CHECK-NOT:   torch_c
func.func @others(%x: !torch.vtensor<[2,2],f32>, %y: !torch.vtensor<[2,2],f16>) -> (!torch.vtensor<[2,2],f32>, !torch.vtensor<[2,2],f16>) {
  %0 = torch.aten.mm %x, %x : !torch.vtensor<[2,2],f32>, !torch.vtensor<[2,2],f32> -> !torch.vtensor<[2,2],f32>
  %1 = torch.aten.mul.Tensor %y, %y : !torch.vtensor<[2,2],f16>, !torch.vtensor<[2,2],f16> -> !torch.vtensor<[2,2],f16>
  return %0, %1 : !torch.vtensor<[2,2],f32>, !torch.vtensor<[2,2],f16>
}
