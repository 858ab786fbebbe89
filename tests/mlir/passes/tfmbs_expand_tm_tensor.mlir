// RUN: tfmbs-opt %s --split-input-file --tfmbs-expand-tm-tensor | filecheck %s

// An exclusive scan starts from the initial value and reads one element behind.
// CHECK-LABEL: func.func @exclusive
// CHECK:         scf.for %[[O:[a-z0-9]+]] =
// CHECK:           %[[S:.*]] = tensor.extract %arg2[%[[O]]]
// CHECK:           tensor.insert %[[S]]
// CHECK:           scf.for %[[I:[a-z0-9]+]] =
// CHECK:             %[[P:.*]] = arith.subi %[[I]]
// CHECK:             tensor.extract %arg0[%[[O]], %[[P]]]
// CHECK:             arith.mulf
func.func @exclusive(%x: tensor<2x8xf32>, %y: tensor<2x8xf32>, %s: tensor<2xf32>) -> (tensor<2x8xf32>, tensor<2xf32>) {
  %0:2 = tm_tensor.scan dimension(1) inclusive(false) ins(%x : tensor<2x8xf32>) outs(%y, %s : tensor<2x8xf32>, tensor<2xf32>) {
  ^bb0(%a: f32, %b: f32):
    %1 = arith.mulf %a, %b : f32
    tm_tensor.yield %1 : f32
  } -> tensor<2x8xf32>, tensor<2xf32>
  return %0#0, %0#1 : tensor<2x8xf32>, tensor<2xf32>
}

// -----

// The slices that are scattered lie at the end of the result's dimensions; an index is added where it names one of these.
// CHECK-LABEL: func.func @slices
// CHECK:         scf.for %[[N:[a-z0-9]+]] =
// CHECK:           scf.for %[[J:[a-z0-9]+]] =
// CHECK:             %[[K:.*]] = tensor.extract %arg1[%[[N]], %{{.*}}] : tensor<3x1xi32>
// CHECK:             %[[D:.*]] = arith.index_cast %[[K]]
// CHECK:             tensor.extract %arg0[%[[N]], %[[J]]]
// CHECK:             tensor.extract %{{.*}}[%[[D]], %[[J]]]
// CHECK:             arith.addf
// CHECK:             tensor.insert %{{.*}} into %{{.*}}[%[[D]], %[[J]]]
func.func @slices(%u: tensor<3x4xf32>, %i: tensor<3x1xi32>, %x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %0 = tm_tensor.scatter {dimension_map = array<i64: 0>} unique_indices(false) ins(%u, %i : tensor<3x4xf32>, tensor<3x1xi32>) outs(%x : tensor<8x4xf32>) {
  ^bb0(%new: f32, %old: f32):
    %1 = arith.addf %new, %old : f32
    tm_tensor.yield %1 : f32
  } -> tensor<8x4xf32>
  return %0 : tensor<8x4xf32>
}

// -----

// Keys and what belongs to them change places together; a pass begins at the first or at the second element.
// CHECK-LABEL: func.func @pairs
// CHECK:         scf.for
// CHECK:           %[[C0:.*]] = arith.constant 0 : index
// CHECK:           scf.for %{{.*}} = %[[C0]] to
// CHECK:             %[[C:.*]] = arith.cmpi sle
// CHECK:             arith.select %[[C]], {{.*}} : i32
// CHECK:             arith.select %[[C]], {{.*}} : f32
// CHECK:           %[[C1:.*]] = arith.constant 1 : index
// CHECK:           scf.for %{{.*}} = %[[C1]] to
func.func @pairs(%k: tensor<9xi32>, %v: tensor<9xf32>) -> (tensor<9xi32>, tensor<9xf32>) {
  %0:2 = tm_tensor.sort dimension(0) outs(%k, %v : tensor<9xi32>, tensor<9xf32>) {
  ^bb0(%a: i32, %b: i32, %c: f32, %d: f32):
    %1 = arith.cmpi sle, %a, %b : i32
    tm_tensor.yield %1 : i1
  } -> tensor<9xi32>, tensor<9xf32>
  return %0#0, %0#1 : tensor<9xi32>, tensor<9xf32>
}

// -----

// CHECK-LABEL: func.func @assertion
// CHECK-NOT:     cf.assert
func.func @assertion(%x: tensor<9xi32>, %i: index, %ok: i1) -> i32 {
  cf.assert %ok, "index must be smaller than dim size"
  %0 = tensor.extract %x[%i] : tensor<9xi32>
  return %0 : i32
}
