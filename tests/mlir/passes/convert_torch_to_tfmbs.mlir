// RUN: tfmbs-opt %s --split-input-file --convert-torch-to-tfmbs --canonicalize | filecheck %s

// A constant right operand K×N becomes a weight N×K.
// CHECK-LABEL: func.func @mm
// CHECK-DAG:   %[[X:.*]] = torch_c.to_builtin_tensor %arg0
// CHECK-DAG:   %[[W:.*]] = arith.constant dense<{{\[\[}}1.000000e+00, 3.000000e+00, 5.000000e+00], [2.000000e+00, 4.000000e+00, 6.000000e+00]]> : tensor<2x3xf32>
// CHECK:       "tfmbs.matmul"(%[[X]], %[[W]])
// CHECK-NEXT:  (tensor<4x3xf32>, tensor<2x3xf32>) -> tensor<4x2xf32>
// CHECK-NOT:   torch.aten.mm
func.func @mm(%x: !torch.vtensor<[4,3],f32>) -> !torch.vtensor<[4,2],f32> {
  %w = torch.vtensor.literal(dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>) : !torch.vtensor<[3,2],f32>
  %0 = torch.aten.mm %x, %w : !torch.vtensor<[4,3],f32>, !torch.vtensor<[3,2],f32> -> !torch.vtensor<[4,2],f32>
  return %0 : !torch.vtensor<[4,2],f32>
}

// -----

// A transposed literal is already N×K; leading dimensions collapse into rows.
// CHECK-LABEL: func.func @matmul_rank3
// CHECK-DAG:   %[[ROWS:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2]] : tensor<2x4x3xf32> into tensor<8x3xf32>
// CHECK-DAG:   arith.constant dense<{{\[\[}}1.000000e+00, 2.000000e+00, 3.000000e+00], [4.000000e+00, 5.000000e+00, 6.000000e+00]]>
// CHECK:       %[[P:.*]] = "tfmbs.matmul"(%[[ROWS]],
// CHECK:       tensor.expand_shape %[[P]] {{\[\[}}0, 1], [2]] output_shape [2, 4, 2] : tensor<8x2xf32> into tensor<2x4x2xf32>
func.func @matmul_rank3(%x: !torch.vtensor<[2,4,3],f32>) -> !torch.vtensor<[2,4,2],f32> {
  %int0 = torch.constant.int 0
  %int1 = torch.constant.int 1
  %l = torch.vtensor.literal(dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>) : !torch.vtensor<[2,3],f32>
  %w = torch.aten.transpose.int %l, %int0, %int1 : !torch.vtensor<[2,3],f32>, !torch.int, !torch.int -> !torch.vtensor<[3,2],f32>
  %0 = torch.aten.matmul %x, %w : !torch.vtensor<[2,4,3],f32>, !torch.vtensor<[3,2],f32> -> !torch.vtensor<[2,4,2],f32>
  return %0 : !torch.vtensor<[2,4,2],f32>
}

// -----

// Two computed operands: a batch product, K×N as it is and N×K where a transpose stands before it.
// CHECK-LABEL: func.func @batch_products
// CHECK:       "tfmbs.batch_matmul"
// CHECK-NEXT:  rhs_layout = "nk"
// CHECK-SAME:  (tensor<6x4x5xf32>, tensor<6x7x5xf32>) -> tensor<6x4x7xf32>
// CHECK:       "tfmbs.batch_matmul"
// CHECK-NEXT:  rhs_layout = "kn"
// CHECK-SAME:  (tensor<6x4x7xf32>, tensor<6x7x5xf32>) -> tensor<6x4x5xf32>
func.func @batch_products(%a: !torch.vtensor<[2,3,4,5],f32>, %b: !torch.vtensor<[2,3,7,5],f32>) -> !torch.vtensor<[2,3,4,5],f32> {
  %int2 = torch.constant.int 2
  %int3 = torch.constant.int 3
  %t = torch.aten.transpose.int %b, %int2, %int3 : !torch.vtensor<[2,3,7,5],f32>, !torch.int, !torch.int -> !torch.vtensor<[2,3,5,7],f32>
  %0 = torch.aten.matmul %a, %t : !torch.vtensor<[2,3,4,5],f32>, !torch.vtensor<[2,3,5,7],f32> -> !torch.vtensor<[2,3,4,7],f32>
  %1 = torch.aten.matmul %0, %b : !torch.vtensor<[2,3,4,7],f32>, !torch.vtensor<[2,3,7,5],f32> -> !torch.vtensor<[2,3,4,5],f32>
  return %1 : !torch.vtensor<[2,3,4,5],f32>
}

// -----

// Broadcast batches, vectors and integers stay with torch-mlir.
// CHECK-LABEL: func.func @not_ours
// CHECK:       torch.aten.matmul
// CHECK:       torch.aten.matmul
// CHECK:       torch.aten.mm
// CHECK-NOT:   tfmbs
func.func @not_ours(%a: !torch.vtensor<[2,3,4,5],f32>, %b: !torch.vtensor<[3,5,7],f32>, %v: !torch.vtensor<[5],f32>, %i: !torch.vtensor<[5,5],si64>)
    -> (!torch.vtensor<[2,3,4,7],f32>, !torch.vtensor<[2,3,4],f32>, !torch.vtensor<[5,5],si64>) {
  %0 = torch.aten.matmul %a, %b : !torch.vtensor<[2,3,4,5],f32>, !torch.vtensor<[3,5,7],f32> -> !torch.vtensor<[2,3,4,7],f32>
  %1 = torch.aten.matmul %a, %v : !torch.vtensor<[2,3,4,5],f32>, !torch.vtensor<[5],f32> -> !torch.vtensor<[2,3,4],f32>
  %2 = torch.aten.mm %i, %i : !torch.vtensor<[5,5],si64>, !torch.vtensor<[5,5],si64> -> !torch.vtensor<[5,5],si64>
  return %0, %1, %2 : !torch.vtensor<[2,3,4,7],f32>, !torch.vtensor<[2,3,4],f32>, !torch.vtensor<[5,5],si64>
}

// -----

// Zero padding joins the convolution's own; the bias is added behind, per channel.
// CHECK-LABEL: func.func @conv
// CHECK-NOT:   constant_pad_nd
// CHECK:       %[[C:.*]] = "tfmbs.conv2d"
// CHECK-NEXT:  dilations = array<i64: 1, 1>, groups = 2 : i64
// CHECK-SAME:  pads = array<i64: 2, 1, 4, 3>
// CHECK-SAME:  strides = array<i64: 1, 2>
// CHECK:       linalg.generic
// CHECK-SAME:  ins(%[[C]], %{{.*}} : tensor<1x2x8x4xf32>, tensor<2xf32>)
// CHECK:       arith.addf
func.func @conv(%x: !torch.vtensor<[1,2,4,6],f32>) -> !torch.vtensor<[1,2,8,4],f32> {
  %int0 = torch.constant.int 0
  %int1 = torch.constant.int 1
  %int2 = torch.constant.int 2
  %int3 = torch.constant.int 3
  %int4 = torch.constant.int 4
  %false = torch.constant.bool false
  %zero = torch.constant.float 0.0
  %w = torch.vtensor.literal(dense<1.0> : tensor<2x1x3x3xf32>) : !torch.vtensor<[2,1,3,3],f32>
  %bias = torch.vtensor.literal(dense<[1.0, 2.0]> : tensor<2xf32>) : !torch.vtensor<[2],f32>
  %amounts = torch.prim.ListConstruct %int1, %int3, %int2, %int4 : (!torch.int, !torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %none = torch.prim.ListConstruct %int0, %int0 : (!torch.int, !torch.int) -> !torch.list<int>
  %ones = torch.prim.ListConstruct %int1, %int1 : (!torch.int, !torch.int) -> !torch.list<int>
  %strides = torch.prim.ListConstruct %int1, %int2 : (!torch.int, !torch.int) -> !torch.list<int>
  %p = torch.aten.constant_pad_nd %x, %amounts, %zero : !torch.vtensor<[1,2,4,6],f32>, !torch.list<int>, !torch.float -> !torch.vtensor<[1,2,10,10],f32>
  %0 = torch.aten.convolution %p, %w, %bias, %strides, %none, %ones, %false, %none, %int2
      : !torch.vtensor<[1,2,10,10],f32>, !torch.vtensor<[2,1,3,3],f32>, !torch.vtensor<[2],f32>, !torch.list<int>, !torch.list<int>, !torch.list<int>, !torch.bool, !torch.list<int>, !torch.int
      -> !torch.vtensor<[1,2,8,4],f32>
  return %0 : !torch.vtensor<[1,2,8,4],f32>
}

// -----

// Volumes: depth is the first of the spatial dimensions, the last two amounts of the padding.
// CHECK-LABEL: func.func @volume
// CHECK-NOT:   constant_pad_nd
// CHECK:       "tfmbs.conv3d"
// CHECK-NEXT:  dilations = array<i64: 1, 1, 1>, groups = 1 : i64
// CHECK-SAME:  pads = array<i64: 3, 1, 1, 0, 2, 1>
// CHECK-SAME:  strides = array<i64: 1, 1, 1>
func.func @volume(%x: !torch.vtensor<[1,2,4,5,6],f32>) -> !torch.vtensor<[1,3,5,6,6],f32> {
  %int0 = torch.constant.int 0
  %int1 = torch.constant.int 1
  %int2 = torch.constant.int 2
  %int3 = torch.constant.int 3
  %false = torch.constant.bool false
  %zero = torch.constant.float 0.0
  %bias = torch.constant.none
  %w = torch.vtensor.literal(dense<1.0> : tensor<3x2x3x3x3xf32>) : !torch.vtensor<[3,2,3,3,3],f32>
  %amounts = torch.prim.ListConstruct %int0, %int0, %int0, %int1, %int3, %int0 : (!torch.int, !torch.int, !torch.int, !torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %ones = torch.prim.ListConstruct %int1, %int1, %int1 : (!torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %own = torch.prim.ListConstruct %int0, %int1, %int1 : (!torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %none = torch.prim.ListConstruct %int0, %int0, %int0 : (!torch.int, !torch.int, !torch.int) -> !torch.list<int>
  %p = torch.aten.constant_pad_nd %x, %amounts, %zero : !torch.vtensor<[1,2,4,5,6],f32>, !torch.list<int>, !torch.float -> !torch.vtensor<[1,2,7,6,6],f32>
  %0 = torch.aten.convolution %p, %w, %bias, %ones, %own, %ones, %false, %none, %int1
      : !torch.vtensor<[1,2,7,6,6],f32>, !torch.vtensor<[3,2,3,3,3],f32>, !torch.none, !torch.list<int>, !torch.list<int>, !torch.list<int>, !torch.bool, !torch.list<int>, !torch.int
      -> !torch.vtensor<[1,3,5,6,6],f32>
  return %0 : !torch.vtensor<[1,3,5,6,6],f32>
}

// -----

// Ceil mode of a max pool is padding at the bottom and right; an average pool with it is left alone.
// CHECK-LABEL: func.func @pools
// CHECK:       "tfmbs.pool"
// CHECK-SAME:  kind = "max", pads = array<i64: 0, 0, 1, 1>
// CHECK:       torch.aten.avg_pool2d
// CHECK:       "tfmbs.pool"
// CHECK-SAME:  count_include_pad = true
// CHECK-SAME:  kind = "avg", pads = array<i64: 1, 1, 1, 1>
func.func @pools(%x: !torch.vtensor<[1,2,8,8],f32>) -> !torch.vtensor<[1,2,2,2],f32> {
  %int0 = torch.constant.int 0
  %int1 = torch.constant.int 1
  %int2 = torch.constant.int 2
  %int3 = torch.constant.int 3
  %true = torch.constant.bool true
  %false = torch.constant.bool false
  %none = torch.constant.none
  %k = torch.prim.ListConstruct %int3, %int3 : (!torch.int, !torch.int) -> !torch.list<int>
  %s = torch.prim.ListConstruct %int2, %int2 : (!torch.int, !torch.int) -> !torch.list<int>
  %s1 = torch.prim.ListConstruct %int1, %int1 : (!torch.int, !torch.int) -> !torch.list<int>
  %p = torch.prim.ListConstruct %int0, %int0 : (!torch.int, !torch.int) -> !torch.list<int>
  %0 = torch.aten.max_pool2d %x, %k, %s, %p, %s1, %true
      : !torch.vtensor<[1,2,8,8],f32>, !torch.list<int>, !torch.list<int>, !torch.list<int>, !torch.list<int>, !torch.bool -> !torch.vtensor<[1,2,4,4],f32>
  %1 = torch.aten.avg_pool2d %0, %k, %s, %p, %true, %true, %none
      : !torch.vtensor<[1,2,4,4],f32>, !torch.list<int>, !torch.list<int>, !torch.list<int>, !torch.bool, !torch.bool, !torch.none -> !torch.vtensor<[1,2,2,2],f32>
  %2 = torch.aten.avg_pool2d %1, %k, %s1, %s1, %false, %true, %none
      : !torch.vtensor<[1,2,2,2],f32>, !torch.list<int>, !torch.list<int>, !torch.list<int>, !torch.bool, !torch.bool, !torch.none -> !torch.vtensor<[1,2,2,2],f32>
  return %2 : !torch.vtensor<[1,2,2,2],f32>
}

// -----

// Constant statistics fold into one factor and one offset per channel: 2 / sqrt(3 + 1) = 1, 5 - 4 * 1 = 1.
// CHECK-LABEL: func.func @batch_norm
// CHECK-DAG:   %[[FACTOR:.*]] = arith.constant dense<1.000000e+00> : tensor<2xf32>
// CHECK:       linalg.generic
// CHECK:       arith.mulf
// CHECK:       arith.addf
// CHECK-NOT:   torch.aten.batch_norm
func.func @batch_norm(%x: !torch.vtensor<[1,2,8,8],f32>) -> !torch.vtensor<[1,2,8,8],f32> {
  %eps = torch.constant.float 1.0
  %momentum = torch.constant.float 0.1
  %false = torch.constant.bool false
  %g = torch.vtensor.literal(dense<2.0> : tensor<2xf32>) : !torch.vtensor<[2],f32>
  %b = torch.vtensor.literal(dense<5.0> : tensor<2xf32>) : !torch.vtensor<[2],f32>
  %m = torch.vtensor.literal(dense<4.0> : tensor<2xf32>) : !torch.vtensor<[2],f32>
  %v = torch.vtensor.literal(dense<3.0> : tensor<2xf32>) : !torch.vtensor<[2],f32>
  %0 = torch.aten.batch_norm %x, %g, %b, %m, %v, %false, %momentum, %eps, %false
      : !torch.vtensor<[1,2,8,8],f32>, !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32>, !torch.bool, !torch.float, !torch.float, !torch.bool
      -> !torch.vtensor<[1,2,8,8],f32>
  return %0 : !torch.vtensor<[1,2,8,8],f32>
}

// -----

// CHECK-LABEL: func.func @layer_norm
// CHECK:       "tfmbs.layer_norm"
// CHECK-SAME:  axis = 1 : i64, epsilon = 9.99999974E-6 : f32
func.func @layer_norm(%x: !torch.vtensor<[2,3,4],f32>, %g: !torch.vtensor<[3,4],f32>, %b: !torch.vtensor<[3,4],f32>) -> !torch.vtensor<[2,3,4],f32> {
  %int3 = torch.constant.int 3
  %int4 = torch.constant.int 4
  %eps = torch.constant.float 1.0e-5
  %sizes = torch.prim.ListConstruct %int3, %int4 : (!torch.int, !torch.int) -> !torch.list<int>
  %0, %1, %2 = torch.aten.native_layer_norm %x, %sizes, %g, %b, %eps
      : !torch.vtensor<[2,3,4],f32>, !torch.list<int>, !torch.vtensor<[3,4],f32>, !torch.vtensor<[3,4],f32>, !torch.float
      -> !torch.vtensor<[2,3,4],f32>, !torch.vtensor<[2,1,1],f32>, !torch.vtensor<[2,1,1],f32>
  return %0 : !torch.vtensor<[2,3,4],f32>
}

// -----

// No assertion that elements are not zero: IEEE division is defined there.
// CHECK-LABEL: func.func @reciprocal
// CHECK:       arith.divf
// CHECK-NOT:   torch.aten.reciprocal
func.func @reciprocal(%x: !torch.vtensor<[2,3],f32>) -> !torch.vtensor<[2,3],f32> {
  %0 = torch.aten.reciprocal %x : !torch.vtensor<[2,3],f32> -> !torch.vtensor<[2,3],f32>
  return %0 : !torch.vtensor<[2,3],f32>
}

// -----

// A NaN passes through maxima, minima and clamps; bounds of one element are constants of the code, others broadcast.
// CHECK-LABEL: func.func @clamp
// CHECK-DAG:   %[[LOW:.*]] = arith.constant -1.000000e+00 : f32
// CHECK-DAG:   %[[HIGH:.*]] = arith.constant 1.000000e+00 : f32
// CHECK:       linalg.generic
// CHECK:       %[[MOST:.*]] = arith.maximumf %{{.*}}, %[[LOW]]
// CHECK:       arith.minimumf %[[MOST]], %[[HIGH]]
// CHECK-NOT:   torch.aten.clamp
func.func @clamp(%x: !torch.vtensor<[2,3],f32>) -> !torch.vtensor<[2,3],f32> {
  %low = torch.vtensor.literal(dense<-1.0> : tensor<f32>) : !torch.vtensor<[],f32>
  %high = torch.vtensor.literal(dense<1.0> : tensor<f32>) : !torch.vtensor<[],f32>
  %0 = torch.aten.clamp.Tensor %x, %low, %high : !torch.vtensor<[2,3],f32>, !torch.vtensor<[],f32>, !torch.vtensor<[],f32> -> !torch.vtensor<[2,3],f32>
  return %0 : !torch.vtensor<[2,3],f32>
}

// -----

// CHECK-DAG:   #[[ROW:.*]] = affine_map<(d0, d1) -> (0, d1)>
// CHECK-LABEL: func.func @maximum
// CHECK:       linalg.generic {indexing_maps = [{{.*}}, #[[ROW]], {{.*}}]
// CHECK:       arith.maximumf
// CHECK-NOT:   torch.aten.maximum
func.func @maximum(%x: !torch.vtensor<[2,3],f32>, %y: !torch.vtensor<[1,3],f32>) -> !torch.vtensor<[2,3],f32> {
  %0 = torch.aten.maximum %x, %y : !torch.vtensor<[2,3],f32>, !torch.vtensor<[1,3],f32> -> !torch.vtensor<[2,3],f32>
  return %0 : !torch.vtensor<[2,3],f32>
}

// -----

// Integers stay with torch-mlir's own lowering.
// CHECK-LABEL: func.func @minimum_of_integers
// CHECK:       torch.aten.minimum
func.func @minimum_of_integers(%x: !torch.vtensor<[3],si32>) -> !torch.vtensor<[3],si32> {
  %0 = torch.aten.minimum %x, %x : !torch.vtensor<[3],si32>, !torch.vtensor<[3],si32> -> !torch.vtensor<[3],si32>
  return %0 : !torch.vtensor<[3],si32>
}

// -----

// One instruction each; the form with tanh is composed, with more digits of √(2/π) than torch-mlir has.
// CHECK-LABEL: func.func @activations
// CHECK:       arith.constant 0.797884583 : f32
// CHECK:       linalg.generic
// CHECK:       "tfmbs.sigmoid"(%{{.*}}) : (f32) -> f32
// CHECK:       linalg.generic
// CHECK:       "tfmbs.gelu"(%{{.*}}) : (f32) -> f32
// CHECK:       linalg.generic
// CHECK:       "tfmbs.tanh"(%{{.*}}) : (f32) -> f32
// CHECK-NOT:   torch.aten.gelu
func.func @activations(%x: !torch.vtensor<[2,3],f32>) -> !torch.vtensor<[2,3],f32> {
  %none = torch.constant.str "none"
  %tanh = torch.constant.str "tanh"
  %0 = torch.aten.sigmoid %x : !torch.vtensor<[2,3],f32> -> !torch.vtensor<[2,3],f32>
  %1 = torch.aten.gelu %0, %none : !torch.vtensor<[2,3],f32>, !torch.str -> !torch.vtensor<[2,3],f32>
  %2 = torch.aten.gelu %1, %tanh : !torch.vtensor<[2,3],f32>, !torch.str -> !torch.vtensor<[2,3],f32>
  return %2 : !torch.vtensor<[2,3],f32>
}
