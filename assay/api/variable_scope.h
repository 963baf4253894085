#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "assay/api/variable.h"
#include "assay/graph/scope.h"

namespace assay {

/// Whether get_variable makes variables or shares those made before: false (in a nested scope: as
/// the scope around), true, or AUTO_REUSE.
class Reuse {
 public:
  /// False inherits from the scope around.
  constexpr Reuse(bool reuse = false) : kind_(reuse ? Kind::kYes : Kind::kNo) {}
  static constexpr Reuse automatic() {
    Reuse r;
    r.kind_ = Kind::kAuto;
    return r;
  }
  constexpr bool is_true() const { return kind_ == Kind::kYes; }
  constexpr bool is_auto() const { return kind_ == Kind::kAuto; }
  constexpr bool is_false() const { return kind_ == Kind::kNo; }

 private:
  enum class Kind { kNo, kYes, kAuto };
  Kind kind_;
};

/// get_variable makes the variable the first time and shares it afterwards.
inline constexpr Reuse AUTO_REUSE = Reuse::automatic();

/// A penalty on a variable's value, such as a weight decay; an undefined Output means none.
using Regularizer = std::function<Output(const Output&)>;

/// What a variable scope holds; a handle shared by everyone who looks at the scope. Kept beyond
/// the scope's end, it serves to enter the scope again.
class VariableScopeHandle {
 public:
  /// "outer/inner", "" at the top.
  const std::string& name() const { return data_->name; }
  /// The name scope that was opened with it first, ending in a slash; "" at the top.
  const std::string& original_name_scope() const { return data_->name_scope; }
  Reuse reuse() const { return data_->reuse; }
  const Initializer& initializer() const { return data_->initializer; }
  const Regularizer& regularizer() const { return data_->regularizer; }
  DType dtype() const { return data_->dtype; }
  std::optional<bool> use_resource() const { return data_->use_resource; }

  /// From now on, get_variable in this scope shares variables and makes none.
  void reuse_variables() { data_->reuse = true; }
  void set_initializer(Initializer initializer) { data_->initializer = std::move(initializer); }
  void set_regularizer(Regularizer regularizer) { data_->regularizer = std::move(regularizer); }
  void set_dtype(DType dtype) { data_->dtype = dtype; }
  void set_use_resource(bool use) { data_->use_resource = use; }

 private:
  friend class VariableScope;
  friend struct VariableStore;
  struct Data {
    std::string name;
    std::string name_scope;
    Reuse reuse;
    Initializer initializer;
    Regularizer regularizer;
    DType dtype = DType::kFloat;
    std::optional<bool> use_resource;
  };
  std::shared_ptr<Data> data_ = std::make_shared<Data>();
};

/// What a variable scope changes for the variables made in it; nested scopes inherit.
struct VariableScopeOptions {
  Reuse reuse;
  Initializer initializer;
  Regularizer regularizer;
  /// kInvalid inherits.
  DType dtype = DType::kInvalid;
  std::optional<bool> use_resource;
  /// False opens no name scope, only the variables' names get the prefix.
  bool auxiliary_name_scope = true;
};

/// Variables that get_variable makes while it lives are called NAME/..., and a name scope of the
/// same name is open (tf.variable_scope). The name scope is made unique ("fc", then "fc_1"), the
/// variables' prefix is not: that is how layers share weights.
class VariableScope {
 public:
  /// Opens NAME inside the current variable scope. Options left at their defaults are inherited.
  explicit VariableScope(std::string_view name, const VariableScopeOptions& options = {});
  /// Enters a scope again, wherever one is: its variables' names start anew from its own name.
  explicit VariableScope(const VariableScopeHandle& scope,
                         const VariableScopeOptions& options = {});
  /// A scope whose variables' prefix is made unique too (tf.variable_scope(None, default_name)).
  static VariableScope with_default_name(std::string_view default_name,
                                         const VariableScopeOptions& options = {}) {
    return VariableScope(default_name, options, Unique{});
  }
  ~VariableScope();
  VariableScope(const VariableScope&) = delete;
  VariableScope& operator=(const VariableScope&) = delete;

  /// A handle for later.
  VariableScopeHandle handle() const { return handle_; }
  const std::string& name() const { return handle_.name(); }
  void reuse_variables() { handle_.reuse_variables(); }
  void set_initializer(Initializer i) { handle_.set_initializer(std::move(i)); }

 private:
  struct Unique {};
  VariableScope(std::string_view default_name, const VariableScopeOptions& options, Unique);
  void open_name_scope(std::string_view name, bool auxiliary);
  void enter_new(std::string_view name, const VariableScopeOptions& options);
  static void override(VariableScopeHandle& handle, const VariableScopeOptions& options);

  Graph& graph_;
  std::optional<NameScope> name_scope_;
  VariableScopeHandle handle_;
  VariableScopeHandle previous_;
  bool reentered_ = false;
  std::map<std::string, int> old_counts_;
};

/// The current graph's innermost variable scope.
VariableScopeHandle get_variable_scope();

/// How get_variable makes a variable. At most one of `initializer` and `initial_value` is given;
/// with neither, the scope's initializer, then glorot_uniform (zeros for other than floats).
struct VariableOptions {
  Initializer initializer;
  /// The value itself, a constant or a tensor; no shape is given then.
  Operand initial_value;
  /// Kept in graph_keys::kRegularizationLosses when the variable is made.
  Regularizer regularizer;
  /// kInvalid takes the initial value's, or the scope's (float32).
  DType dtype = DType::kInvalid;
  bool trainable = true;
  /// Instead of graph_keys::kGlobalVariables.
  std::vector<std::string> collections;
  bool validate_shape = true;
  std::optional<bool> use_resource;
};

/// The variable of this name in the current variable scope: made, or shared when the scope's
/// reuse says so (tf.get_variable). Throws AlreadyExists (with both places) when it exists and may
/// not be shared, NotFound when it should be shared but does not exist, and InvalidArgument when
/// the shared one has another shape or dtype, or when no shape is known.
Variable get_variable(const std::string& name, std::initializer_list<Dims::Size> shape,
                      const VariableOptions& options = {},
                      std::source_location where = std::source_location::current());
/// The same with a shape that is not in braces.
Variable get_variable(const std::string& name, const Dims& shape,
                      const VariableOptions& options = {},
                      std::source_location where = std::source_location::current());
/// The same without a shape: sharing, or an initial value given.
Variable get_variable(const std::string& name, const VariableOptions& options = {},
                      std::source_location where = std::source_location::current());

}  // namespace assay
