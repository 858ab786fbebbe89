// RUN: tfmbs-opt %s --split-input-file --convert-onnx-to-linalg | filecheck %s

// Biases are added first; the last states are parts of the result.
// CHECK-LABEL: func.func @bidirectional
// CHECK:       %[[BIAS:.*]] = linalg.generic
// CHECK:         arith.addf
// CHECK:       %[[ALL:.*]] = "tfmbs.lstm"(%{{.*}}, %{{.*}}, %{{.*}}, %[[BIAS]])
// CHECK-SAME:  direction = "both", gates = "iofc", keep_cell = true
// CHECK-SAME:  roles = ["bias"]
// CHECK-SAME:  -> tensor<5x2x2x3xf32>
// CHECK:       %[[Y:.*]] = tensor.extract_slice %[[ALL]][0, 0, 0, 0] [4, 2, 2, 3]
// CHECK:       tensor.extract_slice %[[Y]][3, 0, 0, 0] [1, 2, 2, 3]
// CHECK:       tensor.extract_slice %[[Y]][0, 0, 0, 0] [1, 2, 2, 3]
// CHECK:       tensor.concat dim(0)
// CHECK:       tensor.extract_slice %[[ALL]][4, 0, 0, 0] [1, 2, 2, 3]
// CHECK-NOT:   onnx.LSTM
func.func @bidirectional(%x: !torch.vtensor<[4,2,5],f32>, %w: !torch.vtensor<[2,12,5],f32>, %r: !torch.vtensor<[2,12,3],f32>, %b: !torch.vtensor<[2,24],f32>) -> (!torch.vtensor<[4,2,2,3],f32>, !torch.vtensor<[2,2,3],f32>, !torch.vtensor<[2,2,3],f32>) {
  %0:3 = torch.operator "onnx.LSTM"(%x, %w, %r, %b) {torch.onnx.direction = "bidirectional", torch.onnx.hidden_size = 3 : si64} : (!torch.vtensor<[4,2,5],f32>, !torch.vtensor<[2,12,5],f32>, !torch.vtensor<[2,12,3],f32>, !torch.vtensor<[2,24],f32>) -> (!torch.vtensor<[4,2,2,3],f32>, !torch.vtensor<[2,2,3],f32>, !torch.vtensor<[2,2,3],f32>)
  return %0#0, %0#1, %0#2 : !torch.vtensor<[4,2,2,3],f32>, !torch.vtensor<[2,2,3],f32>, !torch.vtensor<[2,2,3],f32>
}

// -----

// The batch in front; a first state without a first cell; no cell is asked for.
// CHECK-LABEL: func.func @batch_first
// CHECK:       %[[CELL:.*]] = linalg.fill
// CHECK:       "tfmbs.lstm"(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[CELL]])
// CHECK-SAME:  direction = "reverse", gates = "iofc", keep_cell = false
// CHECK-SAME:  roles = ["hidden", "cell"]
// CHECK-SAME:  (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>, tensor<1x2x3xf32>, tensor<1x2x3xf32>) -> tensor<4x1x2x3xf32>
func.func @batch_first(%x: !torch.vtensor<[2,4,5],f32>, %w: !torch.vtensor<[1,12,5],f32>, %r: !torch.vtensor<[1,12,3],f32>, %h: !torch.vtensor<[2,1,3],f32>) -> !torch.vtensor<[2,4,1,3],f32> {
  %none = torch.constant.none
  %0:3 = torch.operator "onnx.LSTM"(%x, %w, %r, %none, %none, %h) {torch.onnx.direction = "reverse", torch.onnx.layout = 1 : si64} : (!torch.vtensor<[2,4,5],f32>, !torch.vtensor<[1,12,5],f32>, !torch.vtensor<[1,12,3],f32>, !torch.none, !torch.none, !torch.vtensor<[2,1,3],f32>) -> (!torch.vtensor<[2,4,1,3],f32>, !torch.vtensor<[2,1,3],f32>, !torch.vtensor<[2,1,3],f32>)
  return %0#0 : !torch.vtensor<[2,4,1,3],f32>
}
