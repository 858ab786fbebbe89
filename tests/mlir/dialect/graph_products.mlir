// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s

// CHECK-LABEL: func.func @constants
func.func @constants() -> (tensor<2x3x!quant.uniform<i8:f32:0, {1.0, 5.0e-01}>>, tensor<2x6x!tfmbs.ternary<"pt5">>, tensor<2x6x!tfmbs.ternary<"i8">>) {
  // CHECK-NEXT: "tfmbs.constant"() {value = dense<[{{\[}}1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>} : () -> tensor<2x3x!quant.uniform<i8:f32:0, {1.000000e+00,5.000000e-01}>>
  %0 = "tfmbs.constant"() {value = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi8>} : () -> tensor<2x3x!quant.uniform<i8:f32:0, {1.0, 5.0e-01}>>
  // Six trits take two bytes of a row.
  // CHECK-NEXT: "tfmbs.constant"() {value = dense<121> : tensor<2x2xi8>} : () -> tensor<2x6x!tfmbs.ternary<"pt5">>
  %1 = "tfmbs.constant"() {value = dense<121> : tensor<2x2xi8>} : () -> tensor<2x6x!tfmbs.ternary<"pt5">>
  // CHECK-NEXT: "tfmbs.constant"() {value = dense<-1> : tensor<2x6xi8>} : () -> tensor<2x6x!tfmbs.ternary<"i8">>
  %2 = "tfmbs.constant"() {value = dense<-1> : tensor<2x6xi8>} : () -> tensor<2x6x!tfmbs.ternary<"i8">>
  return %0, %1, %2 : tensor<2x3x!quant.uniform<i8:f32:0, {1.0, 5.0e-01}>>, tensor<2x6x!tfmbs.ternary<"pt5">>, tensor<2x6x!tfmbs.ternary<"i8">>
}

// CHECK-LABEL: func.func @matmul
func.func @matmul(%lhs: tensor<2x3xf32>, %rhs: tensor<4x3xf32>, %trits: tensor<4x3x!tfmbs.ternary<"t2">>, %bias: tensor<4xf32>, %skip: tensor<2x4xf32>, %scale: tensor<1xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  // CHECK: "tfmbs.matmul"(%arg0, %arg1) ({
  // CHECK-NEXT: }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], telemetry = {layer = "a"}} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  %0 = "tfmbs.matmul"(%lhs, %rhs) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], telemetry = {layer = "a"}} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  // CHECK: "tfmbs.matmul"(%arg0, %arg2, %arg3, %arg4, %arg5) ({
  // CHECK-NEXT: ^bb0(%[[ACC:.*]]: f32, %[[BIAS:.*]]: f32, %[[SKIP:.*]]: f32, %[[SCALE:.*]]: f32):
  // CHECK: "tfmbs.yield"(%{{.*}}) : (f32) -> ()
  // CHECK-NEXT: roles = ["channel", "element", "scalar"]
  %1 = "tfmbs.matmul"(%lhs, %trits, %bias, %skip, %scale) ({
  ^bb0(%acc: f32, %b: f32, %s: f32, %f: f32):
    %2 = arith.mulf %acc, %f : f32
    %3 = arith.addf %2, %b : f32
    %4 = arith.addf %3, %s : f32
    "tfmbs.yield"(%4) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 0, 0, 0, 0>, roles = ["channel", "element", "scalar"]} : (tensor<2x3xf32>, tensor<4x3x!tfmbs.ternary<"t2">>, tensor<4xf32>, tensor<2x4xf32>, tensor<1xf32>) -> tensor<2x4xf32>
  return %0, %1 : tensor<2x4xf32>, tensor<2x4xf32>
}

// Quantized elements enter and leave an epilogue as their storage integers.
// CHECK-LABEL: func.func @quantized
func.func @quantized(%lhs: tensor<1x3x!quant.uniform<i8:f32, 5.000000e-01:3>>, %rhs: tensor<4x3x!quant.uniform<i8:f32, 1.0>>, %skip: tensor<1x4x!quant.uniform<i8:f32, 5.000000e-01:3>>) -> (tensor<1x4xi32>, tensor<1x4x!quant.uniform<i8:f32, 5.000000e-01:3>>) {
  // CHECK: "tfmbs.gemv"(%arg0, %arg1)
  // CHECK: -> tensor<1x4xi32>
  %0 = "tfmbs.gemv"(%lhs, %rhs) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<1x3x!quant.uniform<i8:f32, 5.000000e-01:3>>, tensor<4x3x!quant.uniform<i8:f32, 1.0>>) -> tensor<1x4xi32>
  // CHECK: "tfmbs.matmul"(%arg0, %arg1, %arg2)
  // CHECK-NEXT: ^bb0(%{{.*}}: i32, %{{.*}}: i8):
  // CHECK: "tfmbs.yield"(%{{.*}}) : (i8) -> ()
  %1 = "tfmbs.matmul"(%lhs, %rhs, %skip) ({
  ^bb0(%acc: i32, %s: i8):
    %2 = arith.trunci %acc : i32 to i8
    %3 = arith.addi %2, %s : i8
    "tfmbs.yield"(%3) : (i8) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["element"]} : (tensor<1x3x!quant.uniform<i8:f32, 5.000000e-01:3>>, tensor<4x3x!quant.uniform<i8:f32, 1.0>>, tensor<1x4x!quant.uniform<i8:f32, 5.000000e-01:3>>) -> tensor<1x4x!quant.uniform<i8:f32, 5.000000e-01:3>>
  return %0, %1 : tensor<1x4xi32>, tensor<1x4x!quant.uniform<i8:f32, 5.000000e-01:3>>
}

// CHECK-LABEL: func.func @siblings
func.func @siblings(%lhs: tensor<1x3xf32>, %a: tensor<4x3xf32>, %b: tensor<5x3x!tfmbs.ternary<"pt5">>) -> (tensor<1x4xf32>, tensor<1x5xf32>) {
  // CHECK: "tfmbs.fused_gemv"(%arg0, %arg1, %arg2) ({
  // CHECK-NEXT: }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 1, 0>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>, roles = []}
  // CHECK-SAME: -> (tensor<1x4xf32>, tensor<1x5xf32>)
  %0:2 = "tfmbs.fused_gemv"(%lhs, %a, %b) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 1, 0>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x3xf32>, tensor<4x3xf32>, tensor<5x3x!tfmbs.ternary<"pt5">>) -> (tensor<1x4xf32>, tensor<1x5xf32>)
  return %0#0, %0#1 : tensor<1x4xf32>, tensor<1x5xf32>
}

// CHECK-LABEL: func.func @batches
func.func @batches(%lhs: tensor<7x2x3xf32>, %nk: tensor<7x4x3xf32>, %kn: tensor<7x3x4xf32>, %bias: tensor<4xf32>) -> (tensor<7x2x4xf32>, tensor<7x2x4xf32>) {
  // CHECK: "tfmbs.batch_matmul"(%arg0, %arg1)
  // CHECK: rhs_layout = "nk", roles = []
  %0 = "tfmbs.batch_matmul"(%lhs, %nk) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "nk", roles = []} : (tensor<7x2x3xf32>, tensor<7x4x3xf32>) -> tensor<7x2x4xf32>
  // CHECK: "tfmbs.batch_matmul"(%arg0, %arg2, %arg3)
  // CHECK: rhs_layout = "kn", roles = ["channel"]
  %1 = "tfmbs.batch_matmul"(%lhs, %kn, %bias) ({
  ^bb0(%acc: f32, %b: f32):
    %2 = arith.addf %acc, %b : f32
    %3 = math.exp %2 : f32
    "tfmbs.yield"(%3) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "kn", roles = ["channel"]} : (tensor<7x2x3xf32>, tensor<7x3x4xf32>, tensor<4xf32>) -> tensor<7x2x4xf32>
  return %0, %1 : tensor<7x2x4xf32>, tensor<7x2x4xf32>
}
