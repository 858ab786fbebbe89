// RUN: tfmbs-opt %s --split-input-file --convert-onnx-to-linalg | filecheck %s

// The importer writes the branches in the order of their names: else, then.
// CHECK-LABEL: func.func @branches
// CHECK:       scf.if %{{.*}} -> (tensor<2xf32>)
// CHECK:         torch.operator "onnx.Neg"
// CHECK:       else
// CHECK:         torch.operator "onnx.Abs"
func.func @branches(%c: !torch.vtensor<[],i1>, %x: !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  %0 = torch.operator "onnx.If"(%c) : (!torch.vtensor<[],i1>) -> !torch.vtensor<[2],f32> {
    %1 = torch.operator "onnx.Abs"(%x) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
    torch.operator_terminator %1 : !torch.vtensor<[2],f32>
  }, {
    %1 = torch.operator "onnx.Neg"(%x) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
    torch.operator_terminator %1 : !torch.vtensor<[2],f32>
  }
  return %0 : !torch.vtensor<[2],f32>
}

// -----

// Without a condition the trip count alone ends it, and no more parts are collected than the result has.
// CHECK-LABEL: func.func @counted
// CHECK:       %[[N:.*]] = arith.minsi
// CHECK:       scf.for %[[I:.*]] = %{{.*}} to %[[N]] step %{{.*}} iter_args(%{{.*}} = %{{.*}}, %[[ALL:.*]] = %{{.*}}) -> (tensor<2xf32>, tensor<5x2xf32>)
// CHECK:         tensor.insert_slice %{{.*}} into %[[ALL]][%[[I]], 0] [1, 2] [1, 1]
func.func @counted(%n: !torch.vtensor<[],si64>, %x: !torch.vtensor<[2],f32>) -> (!torch.vtensor<[2],f32>, !torch.vtensor<[5,2],f32>) {
  %none = torch.constant.none
  %0:2 = torch.operator "onnx.Loop"(%n, %none, %x) : (!torch.vtensor<[],si64>, !torch.none, !torch.vtensor<[2],f32>) -> (!torch.vtensor<[2],f32>, !torch.vtensor<[5,2],f32>) {
  ^bb0(%i: !torch.vtensor<[],si64>, %c: !torch.vtensor<[],i1>, %v: !torch.vtensor<[2],f32>):
    %1 = torch.operator "onnx.Neg"(%v) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
    torch.operator_terminator %c, %1, %1 : !torch.vtensor<[],i1>, !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>
  }
  return %0#0, %0#1 : !torch.vtensor<[2],f32>, !torch.vtensor<[5,2],f32>
}

// -----

// CHECK-LABEL: func.func @conditional
// CHECK:       scf.while
// CHECK:         %[[LESS:.*]] = arith.cmpi slt
// CHECK:         %[[GO:.*]] = arith.andi %[[LESS]]
// CHECK:         scf.condition(%[[GO]])
func.func @conditional(%n: !torch.vtensor<[],si64>, %c: !torch.vtensor<[],i1>, %x: !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  %0 = torch.operator "onnx.Loop"(%n, %c, %x) : (!torch.vtensor<[],si64>, !torch.vtensor<[],i1>, !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  ^bb0(%i: !torch.vtensor<[],si64>, %go: !torch.vtensor<[],i1>, %v: !torch.vtensor<[2],f32>):
    %1 = torch.operator "onnx.Neg"(%v) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
    torch.operator_terminator %go, %1 : !torch.vtensor<[],i1>, !torch.vtensor<[2],f32>
  }
  return %0 : !torch.vtensor<[2],f32>
}

// -----

// One sequence is walked backwards over its second axis, the result is put together forwards.
// CHECK-LABEL: func.func @scan
// CHECK:       scf.for %[[I:[a-z0-9]+]] =
// CHECK:         %[[BACK:[a-z0-9_]+]] = arith.subi %{{.*}}, %[[I]]
// CHECK:         tensor.extract_slice %{{.*}}[0, %[[BACK]]] [3, 1] [1, 1]
// CHECK:         tensor.insert_slice %{{.*}} into %{{.*}}[%[[I]], 0] [1, 3] [1, 1]
func.func @scan(%s: !torch.vtensor<[3],f32>, %x: !torch.vtensor<[3,4],f32>) -> (!torch.vtensor<[3],f32>, !torch.vtensor<[4,3],f32>) {
  %0:2 = torch.operator "onnx.Scan"(%s, %x) {torch.onnx.num_scan_inputs = 1 : si64, torch.onnx.scan_input_axes = [1 : si64], torch.onnx.scan_input_directions = [1 : si64]} : (!torch.vtensor<[3],f32>, !torch.vtensor<[3,4],f32>) -> (!torch.vtensor<[3],f32>, !torch.vtensor<[4,3],f32>) {
  ^bb0(%a: !torch.vtensor<[3],f32>, %b: !torch.vtensor<[3],f32>):
    %1 = torch.operator "onnx.Add"(%a, %b) : (!torch.vtensor<[3],f32>, !torch.vtensor<[3],f32>) -> !torch.vtensor<[3],f32>
    torch.operator_terminator %1, %1 : !torch.vtensor<[3],f32>, !torch.vtensor<[3],f32>
  }
  return %0#0, %0#1 : !torch.vtensor<[3],f32>, !torch.vtensor<[4,3],f32>
}
