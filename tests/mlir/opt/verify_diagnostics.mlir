// Expected diagnostics of the parser, the verifier, upstream passes and ours count; so do their notes.
// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --convert-torch-onnx-to-torch

func.func @verifier() -> i32 {
  // expected-error@+2 {{has 0 operands, but}}
  // expected-note@below {{see current operation}}
  return
}

// -----

func.func @parser() {
  oops // expected-error {{custom op 'oops' is unknown}}
}

// -----

func.func @regex() {
  // expected-error-re@below {{custom op '{{o+ps}}' is}}
  oops
}

// -----

// expected-error@+1 {{function is missing onnx opset version attribute}}
func.func @pass(%a: !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  %0 = torch.operator "onnx.Foo"(%a) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
  return %0 : !torch.vtensor<[2],f32>
}

// -----

func.func @none_expected() attributes {torch.onnx_meta.opset_version = 17 : si64} { return }
