// RUN: tfmbs-opt %s --split-input-file --convert-trained-to-tfmbs | filecheck %s

// The weights become what they are worth; the parameter itself goes.
// CHECK-LABEL: func.func @weight
// CHECK:       %[[W:.*]] = torch.vtensor.literal(dense<{{\[\[}}2.250000e+00, -2.250000e+00, 0.000000e+00], [0.000000e+00, 0.000000e+00, 0.000000e+00]]>
// CHECK-NOT:   torch.vtensor.literal
// CHECK:       return %[[W]]
func.func @weight() -> !torch.vtensor<[2,3],f32> {
  %w = torch.vtensor.literal(dense<[[1.5, -3.0, 0.5], [0.0, 0.0, 0.0]]> : tensor<2x3xf32>) : !torch.vtensor<[2,3],f32>
  %0 = torch.operator "torch.tfmbs.ternary_weight"(%w) : (!torch.vtensor<[2,3],f32>) -> !torch.vtensor<[2,3],f32>
  return %0 : !torch.vtensor<[2,3],f32>
}

// -----

// A parameter that something else reads, too, stays.
// CHECK-LABEL: func.func @shared
// CHECK:       %[[W:.*]] = torch.vtensor.literal
// CHECK:       "tfmbs.group_matmul"
// CHECK:       activations = "absmax"
// CHECK:       return %{{.*}}, %[[W]]
func.func @shared(%x: !torch.vtensor<[1,3],f32>) -> (!torch.vtensor<[1,2],f32>, !torch.vtensor<[2,3],f32>) {
  %w = torch.vtensor.literal(dense<[[1.5, -3.0, 0.5], [0.0, 0.0, 0.0]]> : tensor<2x3xf32>) : !torch.vtensor<[2,3],f32>
  %0 = torch.operator "torch.tfmbs.bit_linear"(%x, %w) : (!torch.vtensor<[1,3],f32>, !torch.vtensor<[2,3],f32>) -> !torch.vtensor<[1,2],f32>
  return %0, %w : !torch.vtensor<[1,2],f32>, !torch.vtensor<[2,3],f32>
}
