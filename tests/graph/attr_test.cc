#include "assay/graph/attr.h"

#include "assay/graph/attr_proto.h"
#include "tests/graph/expect_error.h"
#include "tests/graph/test_ops.h"

namespace assay {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

std::vector<AttrValue> one_of_each_kind() {
  auto function = std::make_shared<FunctionAttr>();
  function->name = "f";
  function->attrs["T"] = DType::kFloat;
  const std::shared_ptr<const FunctionAttr> f = function;
  const Tensor t = Tensor::of<float>({1, 2, 3});
  return {std::string("a\"\n\x01", 4),
          std::int64_t{-3},
          0.5f,
          true,
          DType::kInt64,
          PartialShape{2, -1},
          t,
          EmptyList{},
          std::vector<std::string>{"x", "y"},
          std::vector<std::int64_t>{1, 2},
          std::vector<float>{1, 2},
          std::vector<bool>{true, false},
          std::vector<DType>{DType::kFloat, DType::kString},
          std::vector<PartialShape>{PartialShape{1}, PartialShape::unknown()},
          std::vector<Tensor>{t},
          f,
          std::vector<std::shared_ptr<const FunctionAttr>>{f, f}};
}

TEST(Attr, EveryKindGoesThroughGraphDefAndBack) {
  const std::vector<AttrValue> values = one_of_each_kind();
  ASSERT_EQ(values.size(), std::variant_size_v<AttrValue>);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(values[i].index(), i);
    const auto back = attr_from_proto(attr_to_proto(values[i]), "attribute");
    ASSERT_TRUE(back.has_value()) << i;
    EXPECT_TRUE(attr_equal(values[i], *back)) << attr_kind(values[i]);
    for (std::size_t j = 0; j < values.size(); ++j) {
      EXPECT_EQ(attr_equal(values[i], values[j]), i == j) << i << " " << j;
    }
  }
}

TEST(Attr, Texts) {
  EXPECT_EQ(attr_str(std::string("a\"b\n")), "\"a\\\"b\\n\"");
  EXPECT_EQ(attr_str(DType::kFloat), "float32");
  EXPECT_EQ(attr_str(PartialShape{1, -1}), "[1,?]");
  EXPECT_EQ(attr_str(std::vector<std::int64_t>{1, 2}), "[1,2]");
  EXPECT_EQ(attr_str(EmptyList{}), "[]");
  EXPECT_EQ(attr_kind(std::vector<DType>{}), "list(type)");
  EXPECT_EQ(attr_kind(Tensor()), "tensor");
  EXPECT_LT(attr_str(std::vector<float>(1000, 1.0f)).size(), 100u);
}

TEST(Attr, MalformedValuesAreRefused) {
  const auto read = [](const proto::AttrValue& v) {
    return error_of(Code::kInvalidArgument, [&] { attr_from_proto(v, "node 'n': attribute 'a'"); });
  };
  proto::AttrValue v;
  EXPECT_FALSE(attr_from_proto(v, "").has_value());
  v.mutable_shape()->add_dim()->set_size(-2);
  EXPECT_THAT(read(v), HasSubstr("node 'n': attribute 'a'"));
  v.Clear();
  v.set_type(static_cast<proto::DataType>(77));
  EXPECT_THAT(read(v), HasSubstr("77"));
  v.Clear();
  v.set_placeholder("T");
  EXPECT_THAT(read(v), HasSubstr("'T'"));
  v.Clear();
  v.mutable_list()->add_i(1);
  v.mutable_list()->add_b(true);
  EXPECT_THAT(read(v), HasSubstr("several kinds"));
  v.Clear();
  proto::NameAttrList* inner = v.mutable_func();
  for (int i = 0; i < 50; ++i) inner = (*inner->mutable_attr())["f"].mutable_func();
  EXPECT_THAT(read(v), HasSubstr("nested too deeply"));
}

TEST(OpDefProto, HasArgumentsAttributesAndDefaults) {
  const proto::OpDef def = op_def_to_proto(*testing::test_ops().find("Split"));
  EXPECT_EQ(def.input_arg(0).type(), proto::DT_INT32);
  EXPECT_EQ(def.output_arg(0).number_attr(), "num_split");
  EXPECT_EQ(def.attr(0).minimum(), 1);
  const proto::OpDef sum = op_def_to_proto(*testing::test_ops().find("Sum"));
  EXPECT_FALSE(sum.attr(0).default_value().b());
  EXPECT_EQ(sum.attr(1).allowed_values().list().type_size(), 17);
  EXPECT_TRUE(op_def_to_proto(*testing::test_ops().find("Assign")).is_stateful());
}

}  // namespace
}  // namespace assay
