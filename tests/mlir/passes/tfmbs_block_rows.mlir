// RUN: tfmbs-opt --split-input-file --tfmbs-block-rows %s | filecheck %s

// 4 MiB do not fit on chip: blocks of 64 KiB rows, 2 at a time would fit, which is too few.
// CHECK-LABEL: func.func @long_rows
// CHECK-NOT: scf.for
func.func @long_rows(%x: tensor<16x65536xf32>) -> tensor<16x65536xf32> {
  %0 = "tfmbs.softmax"(%x) {axis = 1 : i64} : (tensor<16x65536xf32>) -> tensor<16x65536xf32>
  return %0 : tensor<16x65536xf32>
}

// -----

// What the chip holds stays whole.
// CHECK-LABEL: func.func @small
// CHECK-NOT: scf.for
func.func @small(%x: tensor<256x1024xf32>) -> tensor<256x1024xf32> {
  %0 = "tfmbs.softmax"(%x) {axis = 1 : i64} : (tensor<256x1024xf32>) -> tensor<256x1024xf32>
  return %0 : tensor<256x1024xf32>
}

// -----

// Along the outermost dimension there are no rows.
// CHECK-LABEL: func.func @columns
// CHECK-NOT: scf.for
func.func @columns(%x: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> {
  %0 = "tfmbs.softmax"(%x) {axis = 0 : i64} : (tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
  return %0 : tensor<1024x1024xf32>
}

// -----

// 1000 rows have no divisor from 33 to 42; 40 is the largest that fits. Gain and bias stay outside.
// CHECK-LABEL: func.func @norm
// CHECK-SAME: (%[[X:.*]]: tensor<1000x32x32xf32>, %[[G:.*]]: tensor<32x32xf32>, %[[B:.*]]: tensor<32x32xf32>)
// CHECK: %[[E:.*]] = tensor.empty() : tensor<1000x32x32xf32>
// CHECK: %[[STEP:.*]] = arith.constant 40 : index
// CHECK: %[[LOOP:.*]] = scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step %[[STEP]] iter_args(%[[OUT:.*]] = %[[E]])
// CHECK: %[[ROWS:.*]] = tensor.extract_slice %[[X]][%[[I]], 0, 0] [40, 32, 32] [1, 1, 1]
// CHECK: %[[N:.*]] = "tfmbs.layer_norm"(%[[ROWS]], %[[G]], %[[B]]) {axis = 1 : i64, epsilon = 9.99999974E-6 : f32}
// CHECK-SAME: -> tensor<40x32x32xf32>
// CHECK: %[[NEW:.*]] = tensor.insert_slice %[[N]] into %[[OUT]][%[[I]], 0, 0] [40, 32, 32] [1, 1, 1]
// CHECK: scf.yield %[[NEW]]
// CHECK: return %[[LOOP]]
func.func @norm(%x: tensor<1000x32x32xf32>, %g: tensor<32x32xf32>, %b: tensor<32x32xf32>) -> tensor<1000x32x32xf32> {
  %0 = "tfmbs.layer_norm"(%x, %g, %b) {axis = 1 : i64, epsilon = 0.00001 : f32}
      : (tensor<1000x32x32xf32>, tensor<32x32xf32>, tensor<32x32xf32>) -> tensor<1000x32x32xf32>
  return %0 : tensor<1000x32x32xf32>
}
