// RUN: tfmbs-opt %s --tfmbs-annotate --split-input-file | filecheck %s

// Scores, a softmax over the last dimension, and computed values: attention, of an encoder.
// CHECK: func.func @attention
// CHECK-SAME: attributes {tfmbs.semantics = {bytes = {{.*}}, phase = "encoder"}}
// CHECK: torch.aten.matmul %{{.*}}, %{{.*}} {tfmbs.semantics = {bytes = 384 : i64, flops = 256 : i64
// CHECK: torch.aten.matmul %{{.*}}, %{{.*}} {tfmbs.semantics = {bytes = 384 : i64, flops = 256 : i64, intensity = {{.*}} : f64, number = 2 : i64, pattern = "attention"}}
func.func @attention(%q: !torch.vtensor<[2,4,4],f32>, %k: !torch.vtensor<[2,4,4],f32>)
    -> !torch.vtensor<[2,4,4],f32> {
  %axis = torch.constant.int -1
  %none = torch.constant.none
  %0 = torch.aten.matmul %q, %k
      : !torch.vtensor<[2,4,4],f32>, !torch.vtensor<[2,4,4],f32> -> !torch.vtensor<[2,4,4],f32>
  %1 = torch.aten.softmax.int %0, %axis, %none
      : !torch.vtensor<[2,4,4],f32>, !torch.int, !torch.none -> !torch.vtensor<[2,4,4],f32>
  %2 = torch.aten.matmul %1, %k
      : !torch.vtensor<[2,4,4],f32>, !torch.vtensor<[2,4,4],f32> -> !torch.vtensor<[2,4,4],f32>
  return %2 : !torch.vtensor<[2,4,4],f32>
}

// -----

// A sum of a value and its maximum with zero is no residual block.
// CHECK: func.func @sum
// CHECK-NOT: pattern
// CHECK: return
func.func @sum(%x: !torch.vtensor<[2,4],f32>) -> !torch.vtensor<[2,4],f32> {
  %one = torch.constant.int 1
  %0 = torch.aten.relu %x : !torch.vtensor<[2,4],f32> -> !torch.vtensor<[2,4],f32>
  %1 = torch.aten.add.Tensor %0, %x, %one
      : !torch.vtensor<[2,4],f32>, !torch.vtensor<[2,4],f32>, !torch.int -> !torch.vtensor<[2,4],f32>
  return %1 : !torch.vtensor<[2,4],f32>
}

// -----

// What was said before is said anew, not twice.
// CHECK: func.func @again
// CHECK-SAME: tfmbs.semantics = {residency = "ephemeral activation"}
// CHECK: torch.aten.relu %{{.*}} {tfmbs.semantics = {bytes = 64 : i64, flops = 8 : i64, intensity = 1.250000e-01 : f64, number = 0 : i64}}
func.func @again(%x: !torch.vtensor<[2,4],f32> {tfmbs.semantics = {residency = "stateful KV cache"}})
    -> !torch.vtensor<[2,4],f32> attributes {tfmbs.semantics = {phase = "decode"}} {
  %0 = torch.aten.relu %x {tfmbs.semantics = {number = 9 : i64, pattern = "attention"}}
      : !torch.vtensor<[2,4],f32> -> !torch.vtensor<[2,4],f32>
  return %0 : !torch.vtensor<[2,4],f32>
}
