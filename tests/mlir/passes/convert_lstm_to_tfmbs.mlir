// RUN: tfmbs-opt %s --split-input-file --convert-lstm-to-tfmbs | filecheck %s

// Constants of both directions are stacked; first states of zeros are left out; the last cells are behind the states.
// CHECK-LABEL: func.func @both
// CHECK:       %[[W:.*]] = arith.constant dense_resource<{{.*}}> : tensor<2x12x5xf32>
// CHECK:       %[[R:.*]] = arith.constant dense_resource<{{.*}}> : tensor<2x12x3xf32>
// CHECK:       %[[B:.*]] = arith.constant dense_resource<{{.*}}> : tensor<2x12xf32>
// CHECK:       "tfmbs.lstm"(%{{.*}}, %[[W]], %[[R]], %[[B]], %{{[a-z0-9_]+}})
// CHECK-SAME:  direction = "both", gates = "ifco", keep_cell = true
// CHECK-SAME:  roles = ["bias", "recurrent_bias"]
// CHECK:       tensor.extract_slice %{{.*}}[0, 0, 0, 0] [4, 2, 2, 3]
// CHECK:       tensor.extract_slice %{{.*}}[4, 0, 0, 0] [1, 2, 2, 3]
// CHECK-NOT:   torch.operator
func.func @both(%x: !torch.vtensor<[4,2,5],f32>) -> (!torch.vtensor<[4,2,2,3],f32>, !torch.vtensor<[2,2,3],f32>) {
  %w = torch.vtensor.literal(dense<0.5> : tensor<12x5xf32>) : !torch.vtensor<[12,5],f32>
  %r = torch.vtensor.literal(dense<0.5> : tensor<12x3xf32>) : !torch.vtensor<[12,3],f32>
  %b = torch.vtensor.literal(dense<0.5> : tensor<12xf32>) : !torch.vtensor<[12],f32>
  %zero = torch.vtensor.literal(dense<0.0> : tensor<2x2x3xf32>) : !torch.vtensor<[2,2,3],f32>
  %0:2 = torch.operator "torch.tfmbs.lstm"(%x, %zero, %zero, %w, %r, %b, %b, %w, %r, %b, %b) : (!torch.vtensor<[4,2,5],f32>, !torch.vtensor<[2,2,3],f32>, !torch.vtensor<[2,2,3],f32>, !torch.vtensor<[12,5],f32>, !torch.vtensor<[12,3],f32>, !torch.vtensor<[12],f32>, !torch.vtensor<[12],f32>, !torch.vtensor<[12,5],f32>, !torch.vtensor<[12,3],f32>, !torch.vtensor<[12],f32>, !torch.vtensor<[12],f32>) -> (!torch.vtensor<[4,2,2,3],f32>, !torch.vtensor<[2,2,3],f32>)
  return %0#0, %0#1 : !torch.vtensor<[4,2,2,3],f32>, !torch.vtensor<[2,2,3],f32>
}

// -----

// Zeros that a model fills, or parts of them; -0 is another number.
// CHECK-LABEL: func.func @filled
// CHECK:       "tfmbs.lstm"
// CHECK-SAME:  roles = []
// CHECK:       "tfmbs.lstm"
// CHECK-SAME:  roles = ["hidden", "cell"]
func.func @filled(%x: !torch.vtensor<[4,2,5],f32>, %w: !torch.vtensor<[12,5],f32>, %r: !torch.vtensor<[12,3],f32>) -> (!torch.vtensor<[4,1,2,3],f32>, !torch.vtensor<[4,1,2,3],f32>) {
  %none = torch.constant.none
  %zero = torch.constant.int 0
  %one = torch.constant.int 1
  %two = torch.constant.int 2
  %three = torch.constant.int 3
  %minus = torch.constant.float -0.0
  %sizes = torch.prim.ListConstruct %two, %two, %three : (!torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %single = torch.prim.ListConstruct %one, %two, %three : (!torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %all = torch.aten.full %sizes, %zero, %none, %none, %none, %none : !torch.list<int>, !torch.int, !torch.none, !torch.none, !torch.none, !torch.none -> !torch.vtensor<[2,2,3],f32>
  %part = torch.aten.slice.Tensor %all, %zero, %one, %two, %one : !torch.vtensor<[2,2,3],f32>, !torch.int, !torch.int, !torch.int, !torch.int -> !torch.vtensor<[1,2,3],f32>
  %other = torch.aten.full %single, %minus, %none, %none, %none, %none : !torch.list<int>, !torch.float, !torch.none, !torch.none, !torch.none, !torch.none -> !torch.vtensor<[1,2,3],f32>
  %0:2 = torch.operator "torch.tfmbs.lstm"(%x, %part, %part, %w, %r, %none, %none, %none, %none, %none, %none) : (!torch.vtensor<[4,2,5],f32>, !torch.vtensor<[1,2,3],f32>, !torch.vtensor<[1,2,3],f32>, !torch.vtensor<[12,5],f32>, !torch.vtensor<[12,3],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none) -> (!torch.vtensor<[4,1,2,3],f32>, !torch.vtensor<[1,2,3],f32>)
  %1:2 = torch.operator "torch.tfmbs.lstm"(%x, %part, %other, %w, %r, %none, %none, %none, %none, %none, %none) : (!torch.vtensor<[4,2,5],f32>, !torch.vtensor<[1,2,3],f32>, !torch.vtensor<[1,2,3],f32>, !torch.vtensor<[12,5],f32>, !torch.vtensor<[12,3],f32>, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none, !torch.none) -> (!torch.vtensor<[4,1,2,3],f32>, !torch.vtensor<[1,2,3],f32>)
  return %0#0, %1#0 : !torch.vtensor<[4,1,2,3],f32>, !torch.vtensor<[4,1,2,3],f32>
}
