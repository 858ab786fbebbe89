// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s

!q = !quant.uniform<i8:f32, 5.000000e-01:3>
!weights = !quant.uniform<i8<-127:127>:f32:1, {1.0, 2.0, 4.0}>

// CHECK-LABEL: func.func @quantize
func.func @quantize(%x: tensor<2x3xf32>) -> (tensor<2x3x!q>, tensor<2x3x!weights>) {
  // CHECK-NEXT: "tfmbs.quantize"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<i8:f32, 5.000000e-01:3>>
  %0 = "tfmbs.quantize"(%x) : (tensor<2x3xf32>) -> tensor<2x3x!q>
  // CHECK-NEXT: "tfmbs.quantize"(%arg0) : (tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<i8<-127:127>:f32:1, {1.000000e+00,2.000000e+00,4.000000e+00}>>
  %1 = "tfmbs.quantize"(%x) : (tensor<2x3xf32>) -> tensor<2x3x!weights>
  return %0, %1 : tensor<2x3x!q>, tensor<2x3x!weights>
}

// CHECK-LABEL: func.func @dequantize
func.func @dequantize(%q: tensor<2x3x!q>, %w: tensor<2x3x!weights>, %acc: tensor<2x3xi32>, %one: tensor<f32>, %each: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  // CHECK-NEXT: "tfmbs.dequantize"(%arg0) {axis = 0 : i64}
  %0 = "tfmbs.dequantize"(%q) {axis = 0 : i64} : (tensor<2x3x!q>) -> tensor<2x3xf32>
  // CHECK-NEXT: "tfmbs.dequantize"(%arg1) {axis = 1 : i64}
  %1 = "tfmbs.dequantize"(%w) {axis = 1 : i64} : (tensor<2x3x!weights>) -> tensor<2x3xf32>
  // CHECK-NEXT: "tfmbs.dequantize"(%arg2, %arg3) {axis = 0 : i64} : (tensor<2x3xi32>, tensor<f32>) -> tensor<2x3xf32>
  %2 = "tfmbs.dequantize"(%acc, %one) {axis = 0 : i64} : (tensor<2x3xi32>, tensor<f32>) -> tensor<2x3xf32>
  // CHECK-NEXT: "tfmbs.dequantize"(%arg2, %arg4) {axis = 1 : i64} : (tensor<2x3xi32>, tensor<3xf32>) -> tensor<2x3xf32>
  %3 = "tfmbs.dequantize"(%acc, %each) {axis = 1 : i64} : (tensor<2x3xi32>, tensor<3xf32>) -> tensor<2x3xf32>
  return %0, %1, %2, %3 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// CHECK-LABEL: func.func @requantize
func.func @requantize(%acc: tensor<2x3xi32>, %each: tensor<3xf32>) -> tensor<2x3x!q> {
  // CHECK-NEXT: "tfmbs.requantize"(%arg0, %arg1) {axis = 1 : i64, low = 3 : i64}
  %0 = "tfmbs.requantize"(%acc, %each) {axis = 1 : i64, low = 3 : i64} : (tensor<2x3xi32>, tensor<3xf32>) -> tensor<2x3x!q>
  return %0 : tensor<2x3x!q>
}

// CHECK-LABEL: func.func @repack
func.func @repack(%trits: tensor<2x7x!tfmbs.ternary<"i8">>) -> tensor<2x7x!tfmbs.ternary<"i8">> {
  // CHECK-NEXT: "tfmbs.pack"(%arg0) : (tensor<2x7x!tfmbs.ternary<"i8">>) -> tensor<2x7x!tfmbs.ternary<"pt5">>
  %0 = "tfmbs.pack"(%trits) : (tensor<2x7x!tfmbs.ternary<"i8">>) -> tensor<2x7x!tfmbs.ternary<"pt5">>
  // CHECK-NEXT: "tfmbs.unpack"(%0) : (tensor<2x7x!tfmbs.ternary<"pt5">>) -> tensor<2x7x!tfmbs.ternary<"i8">>
  %1 = "tfmbs.unpack"(%0) : (tensor<2x7x!tfmbs.ternary<"pt5">>) -> tensor<2x7x!tfmbs.ternary<"i8">>
  return %1 : tensor<2x7x!tfmbs.ternary<"i8">>
}

// CHECK-LABEL: func.func @transfer
func.func @transfer(%x: tensor<2x3x!q>) -> tensor<2x3x!q> {
  // CHECK-NEXT: "tfmbs.transfer"(%arg0) {to = "l2"}
  %0 = "tfmbs.transfer"(%x) {to = "l2"} : (tensor<2x3x!q>) -> tensor<2x3x!q>
  return %0 : tensor<2x3x!q>
}
