// RUN: tfmbs-opt %s --tfmbs-to-linalg | filecheck %s
// RUN: tfmbs-opt %s --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE

// Names stay on arguments and results; portable IR, which may have no attribute of ours, keeps them in lists.
// CHECK:    func.func @f(%arg0: tensor<2xf32> {tfmbs.name = "x"}) -> (tensor<2xf32> {tfmbs.name = "y"})
// PORTABLE: func.func @f(%arg0: tensor<2xf32>) -> tensor<2xf32>
// PORTABLE-SAME: input_names = ["x"]
// PORTABLE-SAME: output_names = ["y"]
func.func @f(%x: tensor<2xf32> {tfmbs.name = "x"}) -> (tensor<2xf32> {tfmbs.name = "y"}) {
  return %x : tensor<2xf32>
}
