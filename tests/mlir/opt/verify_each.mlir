// RUN: tfmbs-opt %s --cse --verify-each=false | filecheck %s
// RUN: tfmbs-opt %s --cse --verify-each | filecheck %s
// RUN: tfmbs-opt %s --cse --guard=false | filecheck %s

// CHECK: func.func @f
func.func @f() { return }
