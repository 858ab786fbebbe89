// RUN: tfmbs-opt %s --split-input-file --convert-attention-to-tfmbs | filecheck %s

// A divisor that is a power of two is an exact factor; an additive mask.
// CHECK-LABEL: func.func @added
// CHECK-NOT:   torch.aten
// CHECK:       "tfmbs.attention"
// CHECK-SAME:  mask_mode = "add"
// CHECK-SAME:  scale = 1.250000e-01 : f32
// CHECK-NOT:   torch.aten
func.func @added(%q: !torch.vtensor<[1,2,3,4],f32>, %k: !torch.vtensor<[1,2,4,5],f32>, %v: !torch.vtensor<[1,2,5,6],f32>, %m: !torch.vtensor<[1,1,3,5],f32>) -> !torch.vtensor<[1,2,3,6],f32> {
  %axis = torch.constant.int -1
  %none = torch.constant.none
  %one = torch.constant.int 1
  %s = torch.aten.matmul %q, %k : !torch.vtensor<[1,2,3,4],f32>, !torch.vtensor<[1,2,4,5],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %eight = torch.constant.float 8.0
  %d = torch.aten.div.Scalar %s, %eight : !torch.vtensor<[1,2,3,5],f32>, !torch.float -> !torch.vtensor<[1,2,3,5],f32>
  %a = torch.aten.add.Tensor %d, %m, %one : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,1,3,5],f32>, !torch.int -> !torch.vtensor<[1,2,3,5],f32>
  %w = torch.aten.softmax.int %a, %axis, %none : !torch.vtensor<[1,2,3,5],f32>, !torch.int, !torch.none -> !torch.vtensor<[1,2,3,5],f32>
  %o = torch.aten.matmul %w, %v : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,2,5,6],f32> -> !torch.vtensor<[1,2,3,6],f32>
  return %o : !torch.vtensor<[1,2,3,6],f32>
}

// -----

// A division that rounds is none.
// CHECK-LABEL: func.func @inexact
// CHECK-NOT:   tfmbs.attention
func.func @inexact(%q: !torch.vtensor<[1,2,3,4],f32>, %k: !torch.vtensor<[1,2,4,5],f32>, %v: !torch.vtensor<[1,2,5,6],f32>) -> !torch.vtensor<[1,2,3,6],f32> {
  %axis = torch.constant.int -1
  %none = torch.constant.none
  %one = torch.constant.int 1
  %s = torch.aten.matmul %q, %k : !torch.vtensor<[1,2,3,4],f32>, !torch.vtensor<[1,2,4,5],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %three = torch.constant.float 3.0
  %d = torch.aten.div.Scalar %s, %three : !torch.vtensor<[1,2,3,5],f32>, !torch.float -> !torch.vtensor<[1,2,3,5],f32>
  %w = torch.aten.softmax.int %d, %axis, %none : !torch.vtensor<[1,2,3,5],f32>, !torch.int, !torch.none -> !torch.vtensor<[1,2,3,5],f32>
  %o = torch.aten.matmul %w, %v : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,2,5,6],f32> -> !torch.vtensor<[1,2,3,6],f32>
  return %o : !torch.vtensor<[1,2,3,6],f32>
}

// -----

// A choice by an operand; its weights are cleared by the same condition.
// CHECK-LABEL: func.func @chosen
// CHECK:       tensor.expand_shape
// CHECK:       "tfmbs.attention"
// CHECK-SAME:  clear = true, fill = -3.40282347E+38 : f32, mask_mode = "select"
// CHECK-NOT:   torch.aten
func.func @chosen(%q: !torch.vtensor<[1,2,3,4],f32>, %k: !torch.vtensor<[1,2,4,5],f32>, %v: !torch.vtensor<[1,2,5,6],f32>, %m: !torch.vtensor<[3,5],i1>) -> !torch.vtensor<[1,2,3,6],f32> {
  %axis = torch.constant.int -1
  %none = torch.constant.none
  %one = torch.constant.int 1
  %low = torch.vtensor.literal(dense<-3.40282347E+38> : tensor<f32>) : !torch.vtensor<[],f32>
  %zero = torch.vtensor.literal(dense<0.0> : tensor<f32>) : !torch.vtensor<[],f32>
  %s = torch.aten.matmul %q, %k : !torch.vtensor<[1,2,3,4],f32>, !torch.vtensor<[1,2,4,5],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %c = torch.aten.where.self %m, %s, %low : !torch.vtensor<[3,5],i1>, !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %p = torch.aten.softmax.int %c, %axis, %none : !torch.vtensor<[1,2,3,5],f32>, !torch.int, !torch.none -> !torch.vtensor<[1,2,3,5],f32>
  %w = torch.aten.where.self %m, %p, %zero : !torch.vtensor<[3,5],i1>, !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %o = torch.aten.matmul %w, %v : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,2,5,6],f32> -> !torch.vtensor<[1,2,3,6],f32>
  return %o : !torch.vtensor<[1,2,3,6],f32>
}

// -----

// Weights that are cleared by another condition than scores.
// CHECK-LABEL: func.func @another_condition
// CHECK-NOT:   tfmbs.attention
func.func @another_condition(%q: !torch.vtensor<[1,2,3,4],f32>, %k: !torch.vtensor<[1,2,4,5],f32>, %v: !torch.vtensor<[1,2,5,6],f32>, %m: !torch.vtensor<[3,5],i1>, %n: !torch.vtensor<[3,5],i1>) -> !torch.vtensor<[1,2,3,6],f32> {
  %axis = torch.constant.int -1
  %none = torch.constant.none
  %one = torch.constant.int 1
  %low = torch.vtensor.literal(dense<-3.40282347E+38> : tensor<f32>) : !torch.vtensor<[],f32>
  %zero = torch.vtensor.literal(dense<0.0> : tensor<f32>) : !torch.vtensor<[],f32>
  %s = torch.aten.matmul %q, %k : !torch.vtensor<[1,2,3,4],f32>, !torch.vtensor<[1,2,4,5],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %c = torch.aten.where.self %m, %s, %low : !torch.vtensor<[3,5],i1>, !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %p = torch.aten.softmax.int %c, %axis, %none : !torch.vtensor<[1,2,3,5],f32>, !torch.int, !torch.none -> !torch.vtensor<[1,2,3,5],f32>
  %w = torch.aten.where.self %n, %p, %zero : !torch.vtensor<[3,5],i1>, !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %o = torch.aten.matmul %w, %v : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,2,5,6],f32> -> !torch.vtensor<[1,2,3,6],f32>
  return %o : !torch.vtensor<[1,2,3,6],f32>
}

// -----

// A constant condition of the causal form needs no mask: here the first query sees three of five keys.
// CHECK-LABEL: func.func @causal
// CHECK:       "tfmbs.attention"
// CHECK-SAME:  causal = true
// CHECK-SAME:  mask_mode = "none", offset = 2 : i64
func.func @causal(%q: !torch.vtensor<[1,2,3,4],f32>, %k: !torch.vtensor<[1,2,4,5],f32>, %v: !torch.vtensor<[1,2,5,6],f32>) -> !torch.vtensor<[1,2,3,6],f32> {
  %axis = torch.constant.int -1
  %none = torch.constant.none
  %one = torch.constant.int 1
  %low = torch.vtensor.literal(dense<0xFF800000> : tensor<f32>) : !torch.vtensor<[],f32>
  %m = torch.vtensor.literal(dense<[[true, true, true, false, false], [true, true, true, true, false], [true, true, true, true, true]]> : tensor<3x5xi1>) : !torch.vtensor<[3,5],i1>
  %s = torch.aten.matmul %q, %k : !torch.vtensor<[1,2,3,4],f32>, !torch.vtensor<[1,2,4,5],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %c = torch.aten.where.self %m, %s, %low : !torch.vtensor<[3,5],i1>, !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %w = torch.aten.softmax.int %c, %axis, %none : !torch.vtensor<[1,2,3,5],f32>, !torch.int, !torch.none -> !torch.vtensor<[1,2,3,5],f32>
  %o = torch.aten.matmul %w, %v : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,2,5,6],f32> -> !torch.vtensor<[1,2,3,6],f32>
  return %o : !torch.vtensor<[1,2,3,6],f32>
}

// -----

// Scores that are used elsewhere, such as an output of their own.
// CHECK-LABEL: func.func @seen
// CHECK-NOT:   tfmbs.attention
func.func @seen(%q: !torch.vtensor<[1,2,3,4],f32>, %k: !torch.vtensor<[1,2,4,5],f32>, %v: !torch.vtensor<[1,2,5,6],f32>) -> (!torch.vtensor<[1,2,3,6],f32>, !torch.vtensor<[1,2,3,5],f32>) {
  %axis = torch.constant.int -1
  %none = torch.constant.none
  %one = torch.constant.int 1
  %s = torch.aten.matmul %q, %k : !torch.vtensor<[1,2,3,4],f32>, !torch.vtensor<[1,2,4,5],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %w = torch.aten.softmax.int %s, %axis, %none : !torch.vtensor<[1,2,3,5],f32>, !torch.int, !torch.none -> !torch.vtensor<[1,2,3,5],f32>
  %o = torch.aten.matmul %w, %v : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,2,5,6],f32> -> !torch.vtensor<[1,2,3,6],f32>
  return %o, %w : !torch.vtensor<[1,2,3,6],f32>, !torch.vtensor<[1,2,3,5],f32>
}

// -----

// A soft cap between product and softmax.
// CHECK-LABEL: func.func @capped
// CHECK-NOT:   tfmbs.attention
func.func @capped(%q: !torch.vtensor<[1,2,3,4],f32>, %k: !torch.vtensor<[1,2,4,5],f32>, %v: !torch.vtensor<[1,2,5,6],f32>) -> !torch.vtensor<[1,2,3,6],f32> {
  %axis = torch.constant.int -1
  %none = torch.constant.none
  %one = torch.constant.int 1
  %s = torch.aten.matmul %q, %k : !torch.vtensor<[1,2,3,4],f32>, !torch.vtensor<[1,2,4,5],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %t = torch.aten.tanh %s : !torch.vtensor<[1,2,3,5],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %w = torch.aten.softmax.int %t, %axis, %none : !torch.vtensor<[1,2,3,5],f32>, !torch.int, !torch.none -> !torch.vtensor<[1,2,3,5],f32>
  %o = torch.aten.matmul %w, %v : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,2,5,6],f32> -> !torch.vtensor<[1,2,3,6],f32>
  return %o : !torch.vtensor<[1,2,3,6],f32>
}

// -----

// A softmax over queries.
// CHECK-LABEL: func.func @over_queries
// CHECK-NOT:   tfmbs.attention
func.func @over_queries(%q: !torch.vtensor<[1,2,3,4],f32>, %k: !torch.vtensor<[1,2,4,5],f32>, %v: !torch.vtensor<[1,2,5,6],f32>) -> !torch.vtensor<[1,2,3,6],f32> {
  %minus = torch.constant.int -2
  %none = torch.constant.none
  %one = torch.constant.int 1
  %s = torch.aten.matmul %q, %k : !torch.vtensor<[1,2,3,4],f32>, !torch.vtensor<[1,2,4,5],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %w = torch.aten.softmax.int %s, %minus, %none : !torch.vtensor<[1,2,3,5],f32>, !torch.int, !torch.none -> !torch.vtensor<[1,2,3,5],f32>
  %o = torch.aten.matmul %w, %v : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,2,5,6],f32> -> !torch.vtensor<[1,2,3,6],f32>
  return %o : !torch.vtensor<[1,2,3,6],f32>
}

// -----

// Keys and values of one head, shared by broadcasting.
// CHECK-LABEL: func.func @broadcast
// CHECK-NOT:   tfmbs.attention
func.func @broadcast(%q: !torch.vtensor<[1,2,3,4],f32>, %k: !torch.vtensor<[1,1,4,5],f32>, %v: !torch.vtensor<[1,1,5,6],f32>) -> !torch.vtensor<[1,2,3,6],f32> {
  %axis = torch.constant.int -1
  %none = torch.constant.none
  %one = torch.constant.int 1
  %s = torch.aten.matmul %q, %k : !torch.vtensor<[1,2,3,4],f32>, !torch.vtensor<[1,1,4,5],f32> -> !torch.vtensor<[1,2,3,5],f32>
  %w = torch.aten.softmax.int %s, %axis, %none : !torch.vtensor<[1,2,3,5],f32>, !torch.int, !torch.none -> !torch.vtensor<[1,2,3,5],f32>
  %o = torch.aten.matmul %w, %v : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,1,5,6],f32> -> !torch.vtensor<[1,2,3,6],f32>
  return %o : !torch.vtensor<[1,2,3,6],f32>
}
