/* An Edge TPU that is not there: a TensorFlow Lite delegate that claims the nodes an
   Edge TPU would run, and fails as one fails.

   The file that FAKE_EDGETPU names says how it does, read at every call:
     ok         present; an inference takes 7 ms and leaves the outputs at zero
     absent     no device: the delegate cannot be made
     unplugged  an inference reports a USB error
     hang       an inference never returns
     abort      an inference ends the process, as libedgetpu does on a USB fault

   Not reproduced: what the model computes, the firmware download, its seconds.

   The structures are those of tensorflow/lite/core/c/common.h, up to the members that
   are used here; tflite-runtime 2.14 and ai-edge-litert 2.x agree on them. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { int size; int data[]; } IntArray;

typedef struct {
  IntArray *inputs, *outputs, *intermediates, *temporaries;
} Node; /* members after these are not used */

struct Context;
struct Delegate;

typedef struct {
  void *(*init)(struct Context *, const char *, size_t);
  void (*free)(struct Context *, void *);
  int (*prepare)(struct Context *, Node *);
  int (*invoke)(struct Context *, Node *);
  const char *(*profiling_string)(const struct Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *registration_external;
  void *async_kernel;
  uint64_t inplace_operator;
} Registration;

typedef struct Context {
  size_t tensors_size;
  int (*get_execution_plan)(struct Context *, IntArray **);
  void *tensors;
  void *impl;
  void *resize_tensor;
  void (*report_error)(struct Context *, const char *, ...);
  void *add_tensors;
  int (*get_node_and_registration)(struct Context *, int, Node **, Registration **);
  int (*replace_node_subsets)(struct Context *, Registration, const IntArray *,
                              struct Delegate *);
} Context;

typedef struct Delegate {
  void *data;
  int (*prepare)(Context *, struct Delegate *);
  void *copy_from_handle, *copy_to_handle, *free_handle;
  int64_t flags;
  void *opaque_builder;
} Delegate;

enum { OK = 0, ERROR = 1, ALLOW_DYNAMIC_TENSORS = 1, INFERENCE_US = 7000 };

static int does(const char *what) {
  char word[32] = "ok";
  const char *path = getenv("FAKE_EDGETPU");
  FILE *file = path ? fopen(path, "r") : NULL;
  if (file) {
    if (fscanf(file, "%31s", word) != 1) strcpy(word, "ok");
    fclose(file);
  }
  return strcmp(word, what) == 0;
}

static int prepare_kernel(Context *context, Node *node) { return OK; }

static int invoke_kernel(Context *context, Node *node) {
  while (does("hang")) sleep(1);
  if (does("abort")) abort();
  if (does("unplugged")) {
    context->report_error(context, "USB transfer error 5 [LibUsbDataInCallback]");
    return ERROR;
  }
  usleep(INFERENCE_US);
  return OK;
}

static int prepare_delegate(Context *context, Delegate *delegate) {
  IntArray *plan;
  if (context->get_execution_plan(context, &plan)) return ERROR;
  int count = plan->size;
  int *nodes = malloc(sizeof(int) * count); /* the plan does not outlive the next call */
  IntArray *mine = malloc(sizeof(IntArray) + sizeof(int) * count);
  memcpy(nodes, plan->data, sizeof(int) * count);
  mine->size = 0;
  for (int i = 0; i < count; i++) {
    Node *node;
    Registration *kernel;
    if (context->get_node_and_registration(context, nodes[i], &node, &kernel))
      return ERROR;
    if (kernel->custom_name && !strcmp(kernel->custom_name, "edgetpu-custom-op"))
      mine->data[mine->size++] = nodes[i];
  }
  Registration kernel = {.prepare = prepare_kernel,
                         .invoke = invoke_kernel,
                         .custom_name = "FakeEdgeTpu",
                         .version = 1};
  int status = mine->size
      ? context->replace_node_subsets(context, kernel, mine, delegate)
      : OK;
  free(mine);
  free(nodes);
  return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                        void (*report)(const char *)) {
  if (does("absent")) return NULL;
  Delegate *delegate = calloc(1, sizeof(Delegate));
  delegate->prepare = prepare_delegate;
  delegate->flags = ALLOW_DYNAMIC_TENSORS;
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
