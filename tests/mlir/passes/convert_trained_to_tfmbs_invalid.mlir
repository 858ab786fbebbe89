// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --convert-trained-to-tfmbs

func.func @computed(%x: !torch.vtensor<[1,3],f32>, %w: !torch.vtensor<[2,3],f32>) -> !torch.vtensor<[1,2],f32> {
  // expected-error @below {{weights of tfmbs.bit_linear, expected a parameter of f32, got computed, !torch.vtensor<[2,3],f32>}}
  %0 = torch.operator "torch.tfmbs.bit_linear"(%x, %w) : (!torch.vtensor<[1,3],f32>, !torch.vtensor<[2,3],f32>) -> !torch.vtensor<[1,2],f32>
  return %0 : !torch.vtensor<[1,2],f32>
}

// -----

func.func @infinite() -> !torch.vtensor<[1,2],f32> {
  %w = torch.vtensor.literal(dense<[[1.0, 0x7F800000]]> : tensor<1x2xf32>) : !torch.vtensor<[1,2],f32>
  // expected-error @below {{weights of tfmbs.ternary_weight are not finite}}
  %0 = torch.operator "torch.tfmbs.ternary_weight"(%w) : (!torch.vtensor<[1,2],f32>) -> !torch.vtensor<[1,2],f32>
  return %0 : !torch.vtensor<[1,2],f32>
}
