// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// pack, unpack, transfer.

func.func @f(%x0: tensor<2x7x!tfmbs.ternary<"pt5">>) {
  // expected-error @below {{'tfmbs.pack' op input element type: expected !tfmbs.ternary<"i8">, got !tfmbs.ternary<"pt5">}}
  %0 = "tfmbs.pack"(%x0) : (tensor<2x7x!tfmbs.ternary<"pt5">>) -> tensor<2x7x!tfmbs.ternary<"t2">>
  return
}

// -----

func.func @f(%x0: tensor<2x7x!tfmbs.ternary<"i8">>) {
  // expected-error @below {{'tfmbs.pack' op result element type: expected !tfmbs.ternary<"pt5"> or !tfmbs.ternary<"t2">, got !tfmbs.ternary<"i8">}}
  %0 = "tfmbs.pack"(%x0) : (tensor<2x7x!tfmbs.ternary<"i8">>) -> tensor<2x7x!tfmbs.ternary<"i8">>
  return
}

// -----

func.func @f(%x0: tensor<2x7x!tfmbs.ternary<"i8">>) {
  // expected-error @below {{'tfmbs.pack' op result shape: expected 2x7 (shape of the input), got 2x2}}
  %0 = "tfmbs.pack"(%x0) : (tensor<2x7x!tfmbs.ternary<"i8">>) -> tensor<2x2x!tfmbs.ternary<"pt5">>
  return
}

// -----

func.func @f(%x0: tensor<2x7xi8>) {
  // expected-error @below {{'tfmbs.pack' op input element type: expected !tfmbs.ternary<"i8">, got i8}}
  %0 = "tfmbs.pack"(%x0) : (tensor<2x7xi8>) -> tensor<2x7x!tfmbs.ternary<"pt5">>
  return
}

// -----

func.func @f(%x0: tensor<2x7x!tfmbs.ternary<"pt5">>) {
  // expected-error @below {{'tfmbs.unpack' op result element type: expected !tfmbs.ternary<"i8">, got !tfmbs.ternary<"t2">}}
  %0 = "tfmbs.unpack"(%x0) : (tensor<2x7x!tfmbs.ternary<"pt5">>) -> tensor<2x7x!tfmbs.ternary<"t2">>
  return
}

// -----

func.func @f(%x0: tensor<2x7x!tfmbs.ternary<"b3">>) {
  // expected-error @below {{'tfmbs.unpack' op input packing: expected i8 or pt5 or t2 or s2 or s4 or r5 or a5, got b3}}
  %0 = "tfmbs.unpack"(%x0) : (tensor<2x7x!tfmbs.ternary<"b3">>) -> tensor<2x7x!tfmbs.ternary<"i8">>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.transfer' op to: expected external or l3 or l2 or l1, got moon}}
  %0 = "tfmbs.transfer"(%x0) {to = "moon"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.transfer' op result type: expected tensor<2x3xf32> (type of the input), got tensor<2x3xf64>}}
  %0 = "tfmbs.transfer"(%x0) {to = "l1"} : (tensor<2x3xf32>) -> tensor<2x3xf64>
  return
}
