// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --convert-onnx-to-linalg

func.func @optimizer(%r: !torch.vtensor<[],f32>, %t: !torch.vtensor<[],si64>, %x: !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  // expected-error@+1 {{Momentum: a training optimizer has no place in a compiled network}}
  %0:2 = torch.operator "onnx.Momentum"(%r, %t, %x, %x, %x) : (!torch.vtensor<[],f32>, !torch.vtensor<[],si64>, !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>) -> (!torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>)
  return %0#0 : !torch.vtensor<[2],f32>
}

// -----

func.func @block(%x: !torch.vtensor<[1,1,4,5],f32>) -> !torch.vtensor<[1,4,2,2],f32> {
  // expected-error@+1 {{SpaceToDepth: blocksize, expected a divisor of 4 and 5, got 2}}
  %0 = torch.operator "onnx.SpaceToDepth"(%x) {torch.onnx.blocksize = 2 : si64} : (!torch.vtensor<[1,1,4,5],f32>) -> !torch.vtensor<[1,4,2,2],f32>
  return %0 : !torch.vtensor<[1,4,2,2],f32>
}

// -----

// The declared type of a result must be what the op gives.
func.func @declared(%x: !torch.vtensor<[2,3,3],f32>) -> !torch.vtensor<[3],f32> {
  // expected-error@+1 {{Det: declared type of result 0, expected tensor<2xf32>, got tensor<3xf32>}}
  %0 = torch.operator "onnx.Det"(%x) : (!torch.vtensor<[2,3,3],f32>) -> !torch.vtensor<[3],f32>
  return %0 : !torch.vtensor<[3],f32>
}

// -----

// What is carried must keep its type from one iteration to the next.
func.func @carried(%n: !torch.vtensor<[],si64>, %c: !torch.vtensor<[],i1>, %x: !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  // expected-error@+1 {{Loop: type of result 1 of its graph, expected tensor<2xf32>, got !torch.vtensor<[4],f32>}}
  %0 = torch.operator "onnx.Loop"(%n, %c, %x) : (!torch.vtensor<[],si64>, !torch.vtensor<[],i1>, !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  ^bb0(%i: !torch.vtensor<[],si64>, %go: !torch.vtensor<[],i1>, %v: !torch.vtensor<[2],f32>):
    %1 = torch.operator "onnx.Concat"(%v, %v) {torch.onnx.axis = 0 : si64} : (!torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>) -> !torch.vtensor<[4],f32>
    torch.operator_terminator %go, %1 : !torch.vtensor<[],i1>, !torch.vtensor<[4],f32>
  }
  return %0 : !torch.vtensor<[2],f32>
}

// -----

// Whether random numbers are asked for must be known.
func.func @dropout(%x: !torch.vtensor<[2],f32>, %ratio: !torch.vtensor<[],f32>, %training: !torch.vtensor<[],i1>) -> !torch.vtensor<[2],f32> {
  // expected-error@+1 {{Dropout: random numbers have no fixed result, expected no training, or a constant ratio of 0}}
  %0 = torch.operator "onnx.Dropout"(%x, %ratio, %training) : (!torch.vtensor<[2],f32>, !torch.vtensor<[],f32>, !torch.vtensor<[],i1>) -> !torch.vtensor<[2],f32>
  return %0 : !torch.vtensor<[2],f32>
}

// -----

func.func @axes(%x: !torch.vtensor<[2,3],f32>, %axes: !torch.vtensor<[1],si64>) -> !torch.vtensor<[4],f32> {
  // expected-error@+1 {{ReduceSum: declared shape, expected one that reducing 2×3 gives, got 4}}
  %0 = torch.operator "onnx.ReduceSum"(%x, %axes) {torch.onnx.keepdims = 0 : si64} : (!torch.vtensor<[2,3],f32>, !torch.vtensor<[1],si64>) -> !torch.vtensor<[4],f32>
  return %0 : !torch.vtensor<[4],f32>
}
