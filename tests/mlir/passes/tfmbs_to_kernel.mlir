// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-kernel | filecheck %s

// An epilogue and telemetry move to the launch; the result is written straight into the output.
// CHECK-LABEL: func.func @matmul_epilogue
// CHECK-SAME:    (%[[X:.*]]: memref<2x4xf32>, %[[R:.*]]: memref<2x3xf32>, %[[Y:.*]]: memref<2x3xf32> {tfmbs.output})
// CHECK:         %[[W:.*]] = "tfmbs.kernel_constant"()
// CHECK-SAME:      shape = array<i64: 3, 4>
// CHECK:         %[[B:.*]] = "tfmbs.kernel_constant"()
// CHECK:         "tfmbs.kernel_gemm"(%[[X]], %[[W]], %[[Y]], %[[B]], %[[R]]) ({
// CHECK-NEXT:    ^bb0(%[[ACC:.*]]: f32, %[[CH:.*]]: f32, %[[EL:.*]]: f32):
// CHECK-NEXT:      %[[S:.*]] = arith.addf %[[ACC]], %[[CH]] : f32
// CHECK-NEXT:      %[[T:.*]] = arith.addf %[[S]], %[[EL]] : f32
// CHECK-NEXT:      "tfmbs.yield"(%[[T]])
// CHECK:         kind = "gemm"
// CHECK-SAME:    roles = ["channel", "element"]
// CHECK-SAME:    telemetry = {layer = "fc"
// CHECK-NEXT:    return
func.func @matmul_epilogue(%x: tensor<2x4xf32>, %r: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %w = arith.constant dense<1.0> : tensor<3x4xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %0 = "tfmbs.matmul"(%x, %w, %b, %r) ({
  ^bb0(%acc: f32, %ch: f32, %el: f32):
    %1 = arith.addf %acc, %ch : f32
    %2 = arith.addf %1, %el : f32
    "tfmbs.yield"(%2) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0>, roles = ["channel", "element"], telemetry = {layer = "fc", sparsity = 0.0 : f64, zero_count = 0 : i64, total = 12 : i64}} : (tensor<2x4xf32>, tensor<3x4xf32>, tensor<3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// -----

// A slice is a view, a reshape of it a copy first, for its rows do not follow each other.
// CHECK-LABEL: func.func @views
// CHECK-SAME:    (%[[X:.*]]: memref<4x6xf32>, %[[Y:.*]]: memref<6xf32> {tfmbs.output}, %[[Z:.*]]: memref<2x3xf32> {tfmbs.output})
// CHECK:         %[[A:.*]] = memref.alloc() : memref<2x3xf32>
// CHECK:         %[[V:.*]] = memref.reinterpret_cast %[[X]] to offset: [7], sizes: [2, 3], strides: [6, 2]
// CHECK:         linalg.generic {{.*}} ins(%[[V]] : memref<2x3xf32, strided<[6, 2], offset: 7>>) outs(%[[A]]
// CHECK:         %[[F:.*]] = memref.reinterpret_cast %[[A]] to offset: [0], sizes: [6], strides: [1]
// CHECK:         "tfmbs.kernel_copy"(%[[F]], %[[Y]])
// CHECK:         linalg.generic {{.*}} ins(%[[V]] : {{.*}}) outs(%[[Z]]
func.func @views(%x: tensor<4x6xf32>) -> (tensor<6xf32>, tensor<2x3xf32>) {
  %0 = tensor.extract_slice %x[1, 1] [2, 3] [1, 2] : tensor<4x6xf32> to tensor<2x3xf32>
  %1 = tensor.collapse_shape %0 [[0, 1]] : tensor<2x3xf32> into tensor<6xf32>
  return %1, %0 : tensor<6xf32>, tensor<2x3xf32>
}

// -----

// Nothing is copied of what no element was ever given: upstream moves a fill behind the concatenation of undefined parts.
// CHECK-LABEL: func.func @concat_undefined
// CHECK-SAME:    (%[[Z:.*]]: memref<1x4xi32> {tfmbs.output})
// CHECK-NOT:     alloc
// CHECK-NOT:     ins(
// CHECK:         linalg.generic {{.*}} outs(%[[Z]] : memref<1x4xi32>)
// CHECK:         return
func.func @concat_undefined() -> tensor<1x4xi32> {
  %c7 = arith.constant 7 : i32
  %0 = tensor.empty() : tensor<2xi32>
  %1 = tensor.expand_shape %0 [[0, 1]] output_shape [1, 2] : tensor<2xi32> into tensor<1x2xi32>
  %2 = tensor.concat dim(1) %1, %1 : (tensor<1x2xi32>, tensor<1x2xi32>) -> tensor<1x4xi32>
  %3 = linalg.fill ins(%c7 : i32) outs(%2 : tensor<1x4xi32>) -> tensor<1x4xi32>
  return %3 : tensor<1x4xi32>
}

// -----

// Parts of a concatenation are copied next to each other in the output.
// CHECK-LABEL: func.func @concat
// CHECK-SAME:    (%[[X:.*]]: memref<2x1xf32>, %[[Y:.*]]: memref<2x2xf32>, %[[Z:.*]]: memref<2x3xf32> {tfmbs.output})
// CHECK:         %[[L:.*]] = memref.reinterpret_cast %[[Z]] to offset: [0], sizes: [2, 1], strides: [3, 1]
// CHECK:         linalg.generic {{.*}} ins(%[[X]] : {{.*}}) outs(%[[L]]
// CHECK:         %[[R:.*]] = memref.reinterpret_cast %[[Z]] to offset: [1], sizes: [2, 2], strides: [3, 1]
// CHECK:         linalg.generic {{.*}} ins(%[[Y]] : {{.*}}) outs(%[[R]]
func.func @concat(%x: tensor<2x1xf32>, %y: tensor<2x2xf32>) -> tensor<2x3xf32> {
  %0 = tensor.concat dim(1) %x, %y : (tensor<2x1xf32>, tensor<2x2xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// -----

// A reduction works on its filled init in place, here in the output; padding is a fill and a copy into it.
// CHECK-LABEL: func.func @init_in_place
// CHECK-SAME:    (%[[X:.*]]: memref<2x3xf32>, %[[Y:.*]]: memref<2xf32> {tfmbs.output}, %[[P:.*]]: memref<4x3xf32> {tfmbs.output})
// CHECK-NOT:     memref.alloc
// CHECK:         linalg.generic {{.*}} outs(%[[Y]] : memref<2xf32>)
// CHECK:         linalg.generic {{.*}}["parallel", "reduction"]} ins(%[[X]] : {{.*}}) outs(%[[Y]]
// CHECK:         linalg.generic {{.*}} outs(%[[P]]
// CHECK:         %[[V:.*]] = memref.reinterpret_cast %[[P]] to offset: [3], sizes: [2, 3]
// CHECK:         "tfmbs.kernel_copy"(%[[X]], %[[V]])
func.func @init_in_place(%x: tensor<2x3xf32>) -> (tensor<2xf32>, tensor<4x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  %s = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<2x3xf32>) outs(%f : tensor<2xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %0 = arith.addf %acc, %a : f32
    linalg.yield %0 : f32
  } -> tensor<2xf32>
  %p = tensor.pad %x low[1, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<2x3xf32> to tensor<4x3xf32>
  return %s, %p : tensor<2xf32>, tensor<4x3xf32>
}

// -----

// An init that is needed afterwards is copied.
// CHECK-LABEL: func.func @init_kept
// CHECK-SAME:    (%[[X:.*]]: memref<2xf32>, %[[Y:.*]]: memref<2xf32> {tfmbs.output})
// CHECK:         "tfmbs.kernel_copy"(%[[X]], %[[Y]])
// CHECK:         linalg.generic {{.*}} outs(%[[Y]]
func.func @init_kept(%x: tensor<2xf32>) -> tensor<2xf32> {
  %s = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : tensor<2xf32>) {
  ^bb0(%acc: f32):
    %0 = arith.addf %acc, %acc : f32
    linalg.yield %0 : f32
  } -> tensor<2xf32>
  return %s : tensor<2xf32>
}

// -----

// Sibling gemvs are one launch over the rows of all weights, in launch order; results are parts of its row.
// CHECK-LABEL: func.func @fused_gemv
// CHECK-SAME:    (%[[X:.*]]: memref<1x2xf32>, %[[Y:.*]]: memref<1x1xf32> {tfmbs.output}, %[[Z:.*]]: memref<1x2xf32> {tfmbs.output})
// CHECK:         %[[W:.*]] = "tfmbs.kernel_constant"()
// CHECK-SAME:      dense<{{\[}}[3.000000e+00, 4.000000e+00], [5.000000e+00, 6.000000e+00], [1.000000e+00, 2.000000e+00]]>
// CHECK:         %[[R:.*]] = memref.alloc() : memref<1x3xf32>
// CHECK:         "tfmbs.kernel_gemm"(%[[X]], %[[W]], %[[R]])
// CHECK:         kind = "gemv"
// CHECK-SAME:    fusion_order = 0
// CHECK:         %[[A:.*]] = memref.reinterpret_cast %[[R]] to offset: [2], sizes: [1, 1]
// CHECK:         "tfmbs.kernel_copy"(%[[A]], %[[Y]])
// CHECK:         %[[B:.*]] = memref.reinterpret_cast %[[R]] to offset: [0], sizes: [1, 2]
// CHECK:         "tfmbs.kernel_copy"(%[[B]], %[[Z]])
func.func @fused_gemv(%x: tensor<1x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>) {
  %a = arith.constant dense<[[1.0, 2.0]]> : tensor<1x2xf32>
  %b = arith.constant dense<[[3.0, 4.0], [5.0, 6.0]]> : tensor<2x2xf32>
  %0:2 = "tfmbs.fused_gemv"(%x, %a, %b) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 1, 0>, telemetry = {layer = "qk", sparsity = 0.0 : f64, zero_count = 0 : i64, total = 6 : i64, fusion_order = 0 : i64}} : (tensor<1x2xf32>, tensor<1x2xf32>, tensor<2x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>)
  return %0#0, %0#1 : tensor<1x1xf32>, tensor<1x2xf32>
}

// -----

// Quantized elements are stored as i8, trits as packed rows; the zero point goes into the launch.
// CHECK-LABEL: func.func @stored_types
// CHECK-SAME:    (%[[X:.*]]: memref<2x7xi8>, %[[Y:.*]]: memref<2x3xi32> {tfmbs.output})
// CHECK:         %[[W:.*]] = "tfmbs.kernel_constant"()
// CHECK-SAME:      packing = "pt5", shape = array<i64: 3, 7>
// CHECK-SAME:      memref<3x2xi8>
// CHECK:         "tfmbs.kernel_gemm"(%[[X]], %[[W]], %[[Y]])
// CHECK:         lhs_zero = 3 : i64
// CHECK-SAME:    rhs_packing = "pt5"
func.func @stored_types(%x: tensor<2x7x!quant.uniform<i8:f32, 0.5:3>>) -> tensor<2x3xi32> {
  %w = "tfmbs.constant"() {value = dense<121> : tensor<3x2xi8>} : () -> tensor<3x7x!tfmbs.ternary<"pt5">>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x7x!quant.uniform<i8:f32, 0.5:3>>, tensor<3x7x!tfmbs.ternary<"pt5">>) -> tensor<2x3xi32>
  return %0 : tensor<2x3xi32>
}

// -----

// The right operand of a batch product may be a transposed view.
// CHECK-LABEL: func.func @batch_matmul_kn
// CHECK:         %[[R:.*]] = memref.reinterpret_cast %{{.*}} to offset: [0], sizes: [2, 5, 4], strides: [20, 1, 5]
// CHECK:         "tfmbs.kernel_gemm"(%{{.*}}, %[[R]], %{{.*}})
func.func @batch_matmul_kn(%x: tensor<2x3x4xf32>, %y: tensor<2x4x5xf32>) -> tensor<2x3x5xf32> {
  %0 = "tfmbs.batch_matmul"(%x, %y) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "kn", roles = []} : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<2x3x5xf32>
  return %0 : tensor<2x3x5xf32>
}

// -----

// What means nothing is not copied: nobody has written it.
// CHECK-LABEL: func.func @parts_of_nothing
// CHECK-NOT:     memref.alloc
// CHECK-COUNT-1: "tfmbs.kernel_copy"(%{{.*}}, %{{.*}})
// CHECK-NOT:     tfmbs.kernel_copy
// CHECK:         return
func.func @parts_of_nothing(%x: tensor<2xi32>) -> tensor<4xi32> {
  %e = tensor.empty() : tensor<2xi32>
  %0 = tensor.concat dim(0) %e, %x : (tensor<2xi32>, tensor<2xi32>) -> tensor<4xi32>
  %1 = tensor.insert_slice %e into %0[0] [2] [1] : tensor<2xi32> into tensor<4xi32>
  return %1 : tensor<4xi32>
}

// -----

// A result that carries a state is written into the argument that does, in place; there is no output for it.
// CHECK-LABEL: func.func @state
// CHECK-SAME:    (%[[CACHE:.*]]: memref<8x4xf32> {tfmbs.state = "cache"}, %[[X:.*]]: memref<4xf32>, %[[AT:.*]]: memref<i64>, %[[Y:.*]]: memref<8x4xf32> {tfmbs.output})
// CHECK-NOT:     memref.alloc() : memref<8x4xf32>
// CHECK:         "tfmbs.kernel_program"() ({
// CHECK:           memref.subview %[[CACHE]]
// CHECK:         linalg.generic {{.*}} ins(%[[CACHE]] : memref<8x4xf32>) outs(%[[Y]] : memref<8x4xf32>)
// CHECK-NOT:     "tfmbs.kernel_copy"
// CHECK:         return
func.func @state(%cache: tensor<8x4xf32> {tfmbs.state = "cache"}, %x: tensor<4xf32>, %at: tensor<i64>)
    -> (tensor<8x4xf32> {tfmbs.state = "cache"}, tensor<8x4xf32>) {
  %i = tensor.extract %at[] : tensor<i64>
  %place = arith.index_cast %i : i64 to index
  %new = tensor.insert_slice %x into %cache[%place, 0] [1, 4] [1, 1] : tensor<4xf32> into tensor<8x4xf32>
  %empty = tensor.empty() : tensor<8x4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%new : tensor<8x4xf32>) outs(%empty : tensor<8x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.negf %a : f32
    linalg.yield %n : f32
  } -> tensor<8x4xf32>
  return %new, %y : tensor<8x4xf32>, tensor<8x4xf32>
}

// -----

// What is returned of the old content is copied before the new one takes its place.
// CHECK-LABEL: func.func @old_state
// CHECK-SAME:    (%[[S:.*]]: memref<4xf32> {tfmbs.state = "s"}, %[[X:.*]]: memref<4xf32>, %[[Y:.*]]: memref<4xf32> {tfmbs.output})
// CHECK:         "tfmbs.kernel_copy"(%[[S]], %[[Y]])
// CHECK-NEXT:    "tfmbs.kernel_copy"(%[[X]], %[[S]])
func.func @old_state(%s: tensor<4xf32> {tfmbs.state = "s"}, %x: tensor<4xf32>)
    -> (tensor<4xf32> {tfmbs.state = "s"}, tensor<4xf32>) {
  return %x, %s : tensor<4xf32>, tensor<4xf32>
}

// -----

// What is computed for a concatenation only is computed in its place there.
// CHECK-LABEL: func.func @computed_side_by_side
// CHECK-SAME:    (%[[X:.*]]: memref<4x2xf32>, %[[Y:.*]]: memref<4x6xf32> {tfmbs.output}, %[[Z:.*]]: memref<4x2xf32> {tfmbs.output})
// CHECK:         %[[A:.*]] = memref.reinterpret_cast %[[Y]] to offset: [0], sizes: [4, 2], strides: [6, 1]
// CHECK-NEXT:    linalg.generic {{.*}} ins(%[[X]] : memref<4x2xf32>) outs(%[[A]] :
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      math.sqrt
// CHECK:         linalg.generic {{.*}} ins(%[[X]] : memref<4x2xf32>) outs(%[[Z]] : memref<4x2xf32>)
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      math.absf
// CHECK:         %[[B:.*]] = memref.reinterpret_cast %[[Y]] to offset: [2], sizes: [4, 2], strides: [6, 1]
// CHECK-NEXT:    linalg.generic {{.*}} ins(%[[Z]] : memref<4x2xf32>) outs(%[[B]] :
// CHECK:         %[[C:.*]] = memref.reinterpret_cast %[[Y]] to offset: [4], sizes: [4, 2], strides: [6, 1]
// CHECK-NEXT:    linalg.generic {{.*}} ins(%[[X]] : memref<4x2xf32>) outs(%[[C]] :
// CHECK-NOT:     linalg.generic
#whole = affine_map<(i, j) -> (i, j)>
func.func @computed_side_by_side(%x: tensor<4x2xf32>) -> (tensor<4x6xf32>, tensor<4x2xf32>) {
  %e = tensor.empty() : tensor<4x2xf32>
  %a = linalg.generic {indexing_maps = [#whole, #whole], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x2xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = math.sqrt %v : f32
    linalg.yield %1 : f32
  } -> tensor<4x2xf32>
  %b = linalg.generic {indexing_maps = [#whole, #whole], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<4x2xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%v: f32, %o: f32):
    %1 = math.absf %v : f32
    linalg.yield %1 : f32
  } -> tensor<4x2xf32>
  %0 = tensor.concat dim(1) %a, %b, %x : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x2xf32>) -> tensor<4x6xf32>
  return %0, %b : tensor<4x6xf32>, tensor<4x2xf32>
}
