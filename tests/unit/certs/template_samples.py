"""Values for each template that ships: invented people and firms, check-valid numbers."""

from __future__ import annotations

import base64
import io
from typing import Final

from PIL import Image, ImageDraw

COMMON: Final = {
    "ZZBS": "1.2.156.3005.2.11100000MB0143028R001.11990000DM0000013N.91990000MA0TE5T088.001.K",
    "ZZBFRQ": "20261124",
    "ZZYXQQSRQ": "20261124",
}
SCOPE: Final = (
    "许可项目：食品生产；食品销售；餐饮服务。（依法须经批准的项目，经相关部门批准后方可开展经营活动）一般项目：技术服务、"
    "技术开发；农副产品销售；日用百货销售；货物进出口。（除依法须经批准的项目外，凭营业执照依法自主开展经营活动）"
)
METADATA: Final[dict[str, dict[str, str]]] = {
    "business-licence": {
        "ZZMC": "营业执照",
        "ZZBH": "91990000MA0TE5T088",
        "ZZBFJG": "示例市市场监督管理局",
        "CZZT": "示例市长青食品有限公司",
        "CZZTDM": "91990000MA0TE5T088",
        "KZ_LX": "有限责任公司（自然人投资或控股）",
        "KZ_FDDBR": "张长青",
        "KZ_ZCZB": "人民币伍佰万元整",
        "KZ_CLRQ": "20200229",
        "KZ_ZS": "示例市东城区示例路1号院3号楼2层201室",
        "KZ_JYFW": SCOPE,
    },
    "food-business-permit": {
        "ZZMC": "食品经营许可证",
        "ZZBH": "JY19901050001234",
        "ZZBFJG": "示例市市场监督管理局",
        "CZZT": "示例市长青食品有限公司",
        "CZZTDM": "91990000MA0TE5T088",
        "ZZYXQJZRQ": "20311123",
        "KZ_FDDBR": "张长青",
        "KZ_ZS": "示例市东城区示例路1号院3号楼2层201室",
        "KZ_JYCS": "示例市东城区示例路1号院3号楼1层101、102室",
        "KZ_ZTYT": "餐饮服务经营者（网络经营）",
        "KZ_JYXM": "热食类食品制售；冷食类食品制售；自制饮品制售；预包装食品销售",
        "KZ_JDGLJG": "示例市东城区市场监督管理所",
    },
    "resident-certificate": {
        "ZZMC": "居民身份证",
        "ZZBH": "990000199001010017",
        "ZZBFJG": "示例市公安局东城分局",
        "CZZT": "李小禾",
        "CZZTDM": "990000199001010017",
        "ZZYXQJZRQ": "20461124",
        "KZ_XB": "男",
        "KZ_MZ": "汉",
        "KZ_CSRQ": "19900101",
        "KZ_ZZ": "示例市东城区示例街道幸福里社区8号楼3单元1202室",
    },
    "marriage-certificate": {
        "ZZMC": "结婚证",
        "ZZBH": "J999901-2026-000123",
        "ZZBFJG": "示例市东城区民政局",
        "CZZT": "李小禾",
        "CZZTDM": "990000199001010017",
        "KZ_DJRQ": "20261124",
        "KZ_NANXM": "李小禾",
        "KZ_NANGJ": "中国",
        "KZ_NANCSRQ": "19900101",
        "KZ_NANZJH": "990000199001010017",
        "KZ_NVXM": "王小川",
        "KZ_NVGJ": "中国",
        "KZ_NVCSRQ": "20000229",
        "KZ_NVZJH": "990000200002290028",
    },
    "real-estate-certificate": {
        "ZZMC": "不动产权证书",
        "ZZBH": "示（2026）示例市不动产权第0001234号",
        "ZZBFJG": "示例市自然资源和规划局",
        "CZZT": "李小禾",
        "CZZTDM": "990000199001010017",
        "KZ_GYQK": "单独所有",
        "KZ_ZL": "示例市东城区示例街道幸福里社区8号楼3单元1202室",
        "KZ_BDCDYH": "990101001002GB00003F00080312",
        "KZ_QLLX": "国有建设用地使用权/房屋所有权",
        "KZ_QLXZ": "出让/市场化商品房",
        "KZ_YT": "城镇住宅用地/住宅",
        "KZ_MJ": "共有宗地面积 12345.60㎡/房屋建筑面积 118.52㎡",
        "KZ_SYQX": "国有建设用地使用权 2010年05月01日起 2080年04月30日止",
        "KZ_QLQTZK": "房屋结构：钢筋混凝土结构；专有建筑面积：92.31㎡，分摊建筑面积：26.21㎡；总层数：18层",
        "KZ_FJ": "业务编号：202611240001；登记原因：买卖",
    },
}
PHOTO_TEMPLATES: Final = frozenset({"resident-certificate", "marriage-certificate"})


def photo(width: int = 358, height: int = 441, *, kind: str = "PNG") -> str:
    """Base64 of a picture of nobody."""
    picture = Image.new("RGB", (width, height), (225, 236, 246))
    drawing = ImageDraw.Draw(picture)
    drawing.ellipse((width * 0.3, height * 0.15, width * 0.7, height * 0.62), fill=(232, 196, 170))
    drawing.ellipse((width * 0.05, height * 0.66, width * 0.95, height * 1.5), fill=(50, 70, 110))
    target = io.BytesIO()
    picture.save(target, kind)
    return base64.b64encode(target.getvalue()).decode()
