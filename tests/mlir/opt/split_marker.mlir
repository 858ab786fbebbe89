// RUN: tfmbs-opt %s --split-input-file='// cut' --output-split-marker='// glue' | filecheck %s

// CHECK: func.func @a
// CHECK: {{^}}// glue
// CHECK: func.func @b
func.func @a() { return }
// cut here
func.func @b() { return }
