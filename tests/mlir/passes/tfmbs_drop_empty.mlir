// RUN: tfmbs-opt %s --split-input-file --tfmbs-drop-empty | filecheck %s

// A result without elements is undefined; what made it goes, with what only it used.
// CHECK-LABEL: func.func @result
// CHECK-NEXT:  %[[E:.*]] = tensor.empty() : tensor<0x3xf32>
// CHECK-NEXT:  return %[[E]]
func.func @result(%x: tensor<0x3xf32>) -> tensor<0x3xf32> {
  %0 = math.absf %x : tensor<0x3xf32>
  %1 = math.sqrt %0 : tensor<0x3xf32>
  return %1 : tensor<0x3xf32>
}

// -----

// Nothing is inserted, and one of the parts is all there is.
// CHECK-LABEL: func.func @parts
// CHECK-SAME:  (%[[X:.*]]: tensor<2xf32>, %{{.*}}: tensor<0xf32>)
// CHECK-NEXT:  return %[[X]], %[[X]]
func.func @parts(%x: tensor<2xf32>, %none: tensor<0xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %0 = tensor.insert_slice %none into %x[1] [0] [1] : tensor<0xf32> into tensor<2xf32>
  %1 = tensor.concat dim(0) %none, %x : (tensor<0xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %0, %1 : tensor<2xf32>, tensor<2xf32>
}

// -----

// Code with elements is left alone.
// CHECK-LABEL: func.func @kept
// CHECK:       math.absf
func.func @kept(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = math.absf %x : tensor<2xf32>
  return %0 : tensor<2xf32>
}
