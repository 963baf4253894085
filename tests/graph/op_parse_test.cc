#include "assay/graph/op_parse.h"

#include "assay/graph/op_registry.h"

#include "tests/graph/expect_error.h"

namespace assay {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

TEST(ParseArg, FixedType) {
  const ArgDef arg = parse_arg("shape: int32");
  EXPECT_EQ(arg.name, "shape");
  EXPECT_EQ(arg.type, DType::kInt32);
  EXPECT_TRUE(arg.type_attr.empty());
  EXPECT_EQ(parse_arg("x: float").type, DType::kFloat);
  EXPECT_EQ(parse_arg("x: double").type, DType::kDouble);
  EXPECT_EQ(parse_arg("handle: resource").type, DType::kResource);
}

TEST(ParseArg, AttributesCountsAndReferences) {
  EXPECT_EQ(parse_arg("x: T").type_attr, "T");
  const ArgDef values = parse_arg("values: N * T");
  EXPECT_EQ(values.number_attr, "N");
  EXPECT_EQ(values.type_attr, "T");
  const ArgDef fixed = parse_arg("indices: N*int32");
  EXPECT_EQ(fixed.number_attr, "N");
  EXPECT_EQ(fixed.type, DType::kInt32);
  const ArgDef ref = parse_arg("ref: Ref(T)");
  EXPECT_TRUE(ref.is_ref);
  EXPECT_EQ(ref.type_attr, "T");
  EXPECT_EQ(parse_arg("it: Ref(string)").type, DType::kString);
}

TEST(ParseAttr, Kinds) {
  EXPECT_EQ(parse_attr("dtype: type").kind, "type");
  EXPECT_EQ(parse_attr("value: tensor").kind, "tensor");
  EXPECT_EQ(parse_attr("f: func").kind, "func");
  EXPECT_EQ(parse_attr("f: list(func)").kind, "list(func)");
  const AttrDef n = parse_attr("N : int >= 1");
  EXPECT_EQ(n.name, "N");
  EXPECT_EQ(n.minimum, 1);
  EXPECT_FALSE(n.default_value.has_value());
  EXPECT_EQ(parse_attr("Tlist: list(type) >= 0").minimum, 0);
}

TEST(ParseAttr, TypeSets) {
  const AttrDef t = parse_attr("T: {float, double, half, bfloat16, int32, uint8} = DT_FLOAT");
  EXPECT_EQ(t.kind, "type");
  EXPECT_EQ(t.allowed_types.size(), 6u);
  EXPECT_EQ(t.allowed_types[2], DType::kHalf);
  EXPECT_EQ(std::get<DType>(*t.default_value), DType::kFloat);
  EXPECT_EQ(parse_attr("T: numbertype").allowed_types.size(), 17u);
  EXPECT_EQ(parse_attr("T: realnumbertype").allowed_types.size(), 12u);
  EXPECT_EQ(parse_attr("T: {bool, realnumbertype}").allowed_types.size(), 13u);
  const AttrDef list = parse_attr("out_types: list({float, int32}) = [DT_FLOAT]");
  EXPECT_EQ(list.kind, "list(type)");
  EXPECT_EQ(std::get<std::vector<DType>>(*list.default_value).size(), 1u);
}

TEST(ParseAttr, Defaults) {
  EXPECT_EQ(std::get<bool>(*parse_attr("keep_dims: bool = false").default_value), false);
  EXPECT_EQ(std::get<std::int64_t>(*parse_attr("axis: int = -1").default_value), -1);
  EXPECT_EQ(std::get<float>(*parse_attr("alpha: float = 0.2").default_value), 0.2f);
  EXPECT_EQ(std::get<float>(*parse_attr("epsilon: float=1e-4").default_value), 1e-4f);
  EXPECT_EQ(std::get<std::string>(*parse_attr("container: string = ''").default_value), "");
  EXPECT_EQ(std::get<std::string>(*parse_attr("p: string = \"a\\\"b\"").default_value), "a\"b");
  EXPECT_TRUE(std::holds_alternative<EmptyList>(*parse_attr("axis: list(int) = []").default_value));
  EXPECT_EQ(
      std::get<std::vector<std::int64_t>>(*parse_attr("d: list(int) = [1, 1, 2]").default_value),
      (std::vector<std::int64_t>{1, 1, 2}));
  EXPECT_FALSE(
      std::get<PartialShape>(*parse_attr("shape: shape = { unknown_rank: true }").default_value)
          .has_rank());
  EXPECT_EQ(std::get<PartialShape>(*parse_attr("shape: shape = {}").default_value),
            PartialShape::scalar());
  const AttrDef padding = parse_attr("padding: {'SAME', \"VALID\"} = 'SAME'");
  EXPECT_EQ(padding.kind, "string");
  EXPECT_EQ(padding.allowed_strings, (std::vector<std::string>{"SAME", "VALID"}));
}

TEST(ParseOp, MalformedTextIsOurMistakeAndNamesTheOp) {
  const auto parse = [](OpSpec spec) { return error_of(Code::kInternal, [&] { parse_op(spec); }); };
  EXPECT_THAT(parse({.name = "Bad", .inputs = {"x T"}}), HasSubstr("op Bad"));
  EXPECT_THAT(parse({.name = "Bad", .attrs = {"T: {flaot}"}}), HasSubstr("flaot"));
  EXPECT_THAT(parse({.name = "Bad", .attrs = {"n: int = x"}}), HasSubstr("integer"));
  EXPECT_THAT(parse({.name = "Bad", .attrs = {"n: int 3"}}), HasSubstr("follows"));
  EXPECT_THAT(parse({.name = "Bad", .attrs = {"s: string = 'abc"}}), HasSubstr("no end"));
  EXPECT_THAT(parse({.name = "Bad", .inputs = {"x: T"}}), HasSubstr("attribute 'T'"));
  EXPECT_THAT(parse({.name = "Bad", .inputs = {"x: N * T"}, .attrs = {"T: type"}}),
              HasSubstr("'N'"));
}

TEST(ParseOp, TypeListsAreToldFromTypes) {
  const OpDef def =
      parse_op({.name = "Save", .inputs = {"tensors: T"}, .attrs = {"T: list(type)"}});
  EXPECT_EQ(def.input_args[0].type_list_attr, "T");
  EXPECT_TRUE(def.input_args[0].type_attr.empty());
}

TEST(OpRegistry, FindsAndSuggests) {
  OpRegistry ops;
  ops.add({.name = "MatMul"});
  ops.add({.name = "BatchMatMul"});
  ops.add({.name = "Softmax"});
  EXPECT_NE(ops.find("MatMul"), nullptr);
  EXPECT_EQ(ops.find("Matmul"), nullptr);
  EXPECT_EQ(ops.similar("Matmul").at(0), "MatMul");
  EXPECT_TRUE(ops.similar("Xyzzy").empty());
  EXPECT_THAT(error_of(Code::kInternal, [&] { ops.add({.name = "MatMul"}); }), HasSubstr("twice"));
}

}  // namespace
}  // namespace assay
