// Locations, elided constants and elided resources, in the output and in dumps.
// RUN: tfmbs-opt %s --mlir-print-debuginfo | filecheck %s --check-prefix=LOC
// RUN: tfmbs-opt --mlir-print-debuginfo < %s | filecheck %s --check-prefix=STDIN
// RUN: tfmbs-opt %s --mlir-elide-elementsattrs-if-larger=2 --mlir-elide-resource-strings-if-larger=4 | filecheck %s --check-prefix=ELIDED
// RUN: tfmbs-opt %s --tfmbs-telemetry --mlir-print-ir-before-all --mlir-elide-elementsattrs-if-larger=2 -o /dev/null 2>&1 | filecheck %s --check-prefix=ELIDED
// RUN: tfmbs-opt %s --mlir-print-op-generic | filecheck %s --check-prefix=GENERIC
// RUN: tfmbs-opt %s --mlir-print-local-scope | filecheck %s --check-prefix=LOCAL

// GENERIC: "func.func"() <{
// LOCAL-NOT: #
// LOCAL: affine_map<(d0) -> (d0)>
// LOC: loc("{{.*}}print_flags.mlir":21:8)
// STDIN: loc("<stdin>":21:8)
// ELIDED: arith.constant dense_resource<__elided__> : tensor<3xi32>
// ELIDED: arith.constant dense_resource<w> : tensor<3xi32>
// ELIDED-NOT: 0x04000000
#map = affine_map<(d0) -> (d0)>
func.func private @g() attributes {map = #map}
func.func @f() -> (tensor<3xi32>, tensor<3xi32>) {
  %0 = arith.constant dense<[1, 2, 3]> : tensor<3xi32>
  %1 = arith.constant dense_resource<w> : tensor<3xi32>
  return %0, %1 : tensor<3xi32>, tensor<3xi32>
}
{-#
  dialect_resources: { builtin: { w: "0x04000000010000000200000003000000" } }
#-}
