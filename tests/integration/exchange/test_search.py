"""Search over titles as real catalogues have them: what a person types finds what he means, first."""

from __future__ import annotations

from uuid import uuid4

import pytest

from core.caller import Caller, OrganisationCode, Scope, SystemId
from core.database import Database
from core.errors import Forbidden, SchemaViolation
from core.identity import store as identity_store
from core.identity.model import Organisation
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.metadata import Metadata
from exchange.catalogue.model import Item, Resource, ResourceState, ShareType, Theme, UpdateCycle
from exchange.search.model import Search
from exchange.search.service import SearchService
from tests.hubs import organisation_code

POLICE, MARKET = (OrganisationCode(organisation_code(number)) for number in (21, 22))
P, L, Z, X, S, Y = (
    Theme.POPULATION,
    Theme.LEGAL_PERSON,
    Theme.CERTIFICATE,
    Theme.CREDIT,
    Theme.SPATIAL,
    Theme.OTHER,
)
# code, title, item titles, theme, English title
TITLES: list[tuple[str, str, str, Theme, str]] = [
    (
        "rkjbxx",
        "户籍人口基本信息",
        "公民身份号码 姓名 性别 民族 出生日期",
        P,
        "Registered residents",
    ),
    ("ldrk", "流动人口登记信息", "公民身份号码 姓名 暂住地址", P, ""),
    ("swzx", "死亡注销户口信息", "公民身份号码 姓名 死亡日期", P, ""),
    ("hydj", "婚姻登记信息", "男方姓名 女方姓名 登记日期", P, "Marriage registrations"),
    ("lhdj", "离婚登记信息", "男方姓名 女方姓名 离婚日期", P, ""),
    ("csyx", "出生医学证明信息", "新生儿姓名 母亲姓名 出生日期", P, "Birth certificates"),
    ("dbdx", "城乡居民最低生活保障对象信息", "公民身份号码 姓名 保障金额", P, ""),
    ("cjr", "残疾人证信息", "公民身份号码 姓名 残疾类别", P, "Disability cards"),
    (
        "sbcb",
        "社会保险参保缴费信息",
        "公民身份号码 险种 缴费基数",
        P,
        "Social insurance contributions",
    ),
    ("gjj", "住房公积金缴存信息", "公民身份号码 缴存基数 单位名称", P, ""),
    (
        "xlzs",
        "高等教育学历证书信息",
        "公民身份号码 毕业院校 学历层次",
        P,
        "Higher education diplomas",
    ),
    (
        "qyjbxx",
        "企业基本信息",
        "统一社会信用代码 企业名称 法定代表人",
        L,
        "Enterprise register",
    ),
    ("qyzx", "企业注册登记信息", "统一社会信用代码 登记机关 成立日期", L, ""),
    ("gtgsh", "个体工商户登记信息", "统一社会信用代码 经营者姓名 经营场所", L, ""),
    ("sydw", "事业单位法人登记信息", "统一社会信用代码 单位名称 举办单位", L, ""),
    ("shtt", "社会团体法人登记证书信息", "统一社会信用代码 团体名称", L, ""),
    ("qynb", "企业年度报告信息", "统一社会信用代码 报告年度 资产总额", L, "Annual reports"),
    ("gqcz", "股权出质登记信息", "出质人 质权人 出质股权数额", L, ""),
    (
        "spjy",
        "食品经营许可证信息",
        "许可证编号 主体业态 有效期至",
        Z,
        "Food business licences",
    ),
    (
        "spsc",
        "食品生产许可证信息",
        "许可证编号 食品类别 有效期至",
        Z,
        "Food production licences",
    ),
    (
        "ypjy",
        "药品经营许可证信息",
        "许可证编号 经营方式 质量负责人",
        Z,
        "Drug trade licences",
    ),
    ("wscy", "公共场所卫生许可证信息", "许可证编号 单位名称 许可项目", Z, ""),
    ("jsgc", "建设工程规划许可证信息", "证书编号 建设单位 建设规模", Z, "Planning permits"),
    ("sgxk", "建筑工程施工许可证信息", "证书编号 施工单位 合同工期", Z, ""),
    ("dlys", "道路运输经营许可证信息", "许可证号 经营范围 业户名称", Z, ""),
    ("jsz", "机动车驾驶证信息", "驾驶证号 准驾车型 有效期止", Z, "Driving licences"),
    ("xsz", "机动车行驶证信息", "号牌号码 车辆类型 所有人", Z, ""),
    ("xzxk", "行政许可信息", "行政相对人名称 许可内容 许可决定日期", X, "Administrative licences"),
    ("xzcf", "行政处罚信息", "行政相对人名称 违法事实 罚款金额", X, "Administrative penalties"),
    ("sxbzxr", "失信被执行人信息", "被执行人姓名 案号 履行情况", X, "Dishonest judgment debtors"),
    ("jyyc", "企业经营异常名录信息", "企业名称 列入原因 列入日期", X, ""),
    ("nsxy", "纳税信用A级纳税人名单", "纳税人识别号 纳税人名称 评价年度", X, ""),
    ("bdcqs", "不动产权属登记信息", "不动产单元号 权利人 坐落", S, "Real estate titles"),
    ("bdcdy", "不动产抵押登记信息", "不动产单元号 抵押权人 被担保债权数额", S, ""),
    ("bzdz", "标准地址信息", "地址编码 地址全称 经度 纬度", S, "Standard addresses"),
    ("xzqh", "行政区划代码", "区划代码 区划名称", S, "Administrative divisions"),
    ("dkxx", "国有建设用地使用权出让地块信息", "宗地编号 土地用途 成交价格", S, ""),
    ("hjjc", "环境空气质量监测数据", "站点名称 细颗粒物浓度 监测时间", Y, "Air quality"),
    ("ysy", "饮用水水源地水质监测信息", "断面名称 氨氮 监测时间", Y, ""),
    ("gjxl", "公交线路站点信息", "线路名称 站点名称 首末班时间", Y, "Bus routes and stops"),
]
# what is typed → which must come first (or, of several, be the first ones in any order)
ASKED: list[tuple[str, set[str]]] = [
    ("人口", {"rkjbxx", "ldrk"}),
    ("户籍人口", {"rkjbxx"}),
    ("企业登记信息", {"qyzx"}),
    ("企业", {"qyjbxx", "qyzx", "qynb", "jyyc"}),
    ("食品经营许可", {"spjy"}),
    ("食品许可证", {"spjy", "spsc"}),
    ("驾驶证", {"jsz"}),
    ("失信被执行人", {"sxbzxr"}),
    ("老赖 失信", {"sxbzxr"}),
    ("不动产登记", {"bdcqs", "bdcdy"}),
    ("低保 最低生活保障", {"dbdx"}),
    ("离婚", {"lhdj"}),
    ("公积金", {"gjj"}),
    ("罚款金额", {"xzcf"}),
    ("准驾车型", {"jsz"}),
    ("空气质量", {"hjjc"}),
    ("我要查企业年度报告", {"qynb"}),
    ("ＸＺＣＦ", {"xzcf"}),
    ("food licence", {"spjy", "spsc"}),
    ("Marriage registration", {"hydj"}),
    ("penalty", {"xzcf"}),
    ("dishonest", {"sxbzxr"}),
    ("bus stop", {"gjxl"}),
    ("驾", {"jsz"}),
]


@pytest.fixture
async def search(database: Database) -> SearchService:
    """The catalogue of TITLES."""
    async with database.transaction() as connection:
        for code, name in ((POLICE, "示例市公安局"), (MARKET, "示例市市场监督管理局")):
            organisation = Organisation(code=code, name=name, division_code="990000")
            await identity_store.save_organisation(connection, organisation=organisation)
        for code, title, items, theme, english in TITLES:
            await catalogue_store.save_resource(
                connection, resource=build(code, title, items, theme, english)
            )
        hidden = build("caogao", "人口草稿", "姓名", Theme.POPULATION, "", state=ResourceState.DRAFT)
        await catalogue_store.save_resource(connection, resource=hidden)
    return SearchService(database=database)


def build(
    code: str,
    title: str,
    items: str,
    theme: Theme,
    english: str,
    *,
    state: ResourceState = ResourceState.PUBLISHED,
) -> Resource:
    freest = ShareType.UNCONDITIONAL if theme is Theme.SPATIAL else ShareType.CONDITIONAL
    return Resource(
        code=code,
        title=title,
        summary="",
        theme=theme,
        provider_code=POLICE if theme is Theme.POPULATION else MARKET,
        update_cycle=UpdateCycle.DAILY,
        items=tuple(
            Item(name=f"i{n}", title=name, format="C..50", is_key=n == 0, share_type=freest)
            for n, name in enumerate(items.split())
        ),
        metadata=Metadata(title_en=english),
        state=state,
    )


def caller(code: OrganisationCode = MARKET, *scopes: Scope) -> Caller:
    return Caller(
        system_id=SystemId(uuid4()),
        system_name="s",
        organisation_code=code,
        organisation_name="o",
        scopes=frozenset(scopes),
    )


async def test_words_typed_find_the_resource_meant_first(search: SearchService) -> None:
    wrong = {}
    for text, wanted in ASKED:
        found = [each.resource.code for each in await search.search(Search(text=text), caller=caller())]
        if set(found[: len(wanted)]) != wanted:
            wrong[text] = found[:6]
    assert not wrong


async def test_common_words_alone_do_not_drown_what_was_meant(search: SearchService) -> None:
    found = await search.search(Search(text="食品经营许可证信息"), caller=caller())
    assert found[0].resource.code == "spjy"
    assert found[0].score > 1.2 * found[1].score
    assert len(found) < 12


async def test_words_that_stand_nowhere_find_nothing(search: SearchService) -> None:
    for text in ("渔船", "zzzz", "'; DROP TABLE exchange.resource; --", "\\", "%", "_", "🀄", ":*&|!()"):
        assert [f.resource.code for f in await search.search(Search(text=text), caller=caller())] == []


async def test_filters_narrow_and_pages_follow_each_other(search: SearchService) -> None:
    async def codes(**asked: object) -> list[str]:
        found = await search.search(Search(**asked), caller=caller())  # type: ignore[arg-type]
        return [each.resource.code for each in found]

    assert set(await codes(theme=Theme.SPATIAL)) == {t[0] for t in TITLES if t[3] is Theme.SPATIAL}
    assert await codes(text="登记", theme=Theme.SPATIAL) == await codes(
        text="登记", share_type=ShareType.UNCONDITIONAL
    )
    assert set(await codes(provider_code=POLICE)) == {t[0] for t in TITLES if t[3] is Theme.POPULATION}
    assert await codes(item="i5") == []
    whole = await codes()
    assert whole == sorted(t[0] for t in TITLES)
    assert await codes(limit=10) + await codes(limit=40, offset=10) == whole


async def test_drafts_are_found_by_their_provider_and_administrators_only(search: SearchService) -> None:
    drafts = Search(state=ResourceState.DRAFT)
    with pytest.raises(Forbidden):
        await search.search(drafts, caller=caller())
    for allowed in (caller(POLICE, Scope.ADMIN), caller(MARKET, Scope.ADMIN)):
        assert [f.resource.code for f in await search.search(drafts, caller=allowed)] == ["caogao"]
    own = Search(state=ResourceState.DRAFT, provider_code=POLICE)
    assert [f.resource.code for f in await search.search(own, caller=caller(POLICE))] == ["caogao"]


async def test_text_that_cannot_be_kept_is_refused(search: SearchService) -> None:
    with pytest.raises(SchemaViolation):
        await search.search(Search(text="人\x00口"), caller=caller())
